// Where Expo starts the app on a phone.

import { registerRootComponent } from "expo";

import { App } from "./src/App";

registerRootComponent(App);
