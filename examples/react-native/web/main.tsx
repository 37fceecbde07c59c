// Where a browser starts the app.

import { AppRegistry } from "react-native";

import { App } from "../src/App";

/** Rules that components have no names for: the whole height, and a ring around what the keyboard has reached. */
const rules = [
  "html, body, #root { height: 100% }",
  "body { margin: 0; overflow: hidden }",
  "#root { display: flex }",
  ":focus-visible { outline: 3px solid #7c6cf2 !important; outline-offset: 2px }",
  "[role=heading], [role=dialog] { outline: none !important }",
];
const sheet = new CSSStyleSheet();
sheet.replaceSync(rules.join("\n"));
document.adoptedStyleSheets.push(sheet);

AppRegistry.registerComponent("main", () => App);
AppRegistry.runApplication("main", { rootTag: document.getElementById("root") } as never);
