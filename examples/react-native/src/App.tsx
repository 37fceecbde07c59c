// The app: which screen is shown.

import type { User } from "@rescind/client";
import { useState, useSyncExternalStore } from "react";

import { Languages, useLanguage } from "./language";
import { Button } from "./parts/Button";
import { Notice } from "./parts/Notice";
import { Page } from "./parts/Page";
import { device, storage } from "./platform";
import { Devices } from "./screens/Devices";
import { Home } from "./screens/Home";
import { SignIn } from "./screens/SignIn";
import { Session } from "./session";
import { describe } from "./texts";

const session = new Session({
  url: process.env["EXPO_PUBLIC_RESCIND_URL"] ?? "http://localhost:8080",
  storage,
  device,
});

export function App() {
  return (
    <Languages>
      <Screen />
    </Languages>
  );
}

function Screen() {
  const state = useSyncExternalStore(session.subscribe, session.state);
  switch (state.at) {
    case "starting":
      return <Starting />;
    case "unreadable":
      return <Unreadable error={state.error} />;
    case "signed_out":
      return <SignIn session={session} notice={state.notice} />;
    case "signed_in":
      // Another session begins at its first screen.
      return <Account key={state.session.device.id} user={state.session.user} />;
  }
}

function Account({ user }: { user: User }) {
  const [place, setPlace] = useState<"home" | "devices">("home");
  return place === "home" ? (
    <Home session={session} user={user} showDevices={() => setPlace("devices")} />
  ) : (
    <Devices session={session} back={() => setPlace("home")} />
  );
}

function Starting() {
  const { texts } = useLanguage();
  return <Page title={texts.starting}>{null}</Page>;
}

function Unreadable({ error }: { error: unknown }) {
  const { texts } = useLanguage();
  return (
    <Page title={texts.signIn}>
      <Notice tone="danger">{describe(error, texts)}</Notice>
      <Button onPress={() => void session.start()}>{texts.retry}</Button>
    </Page>
  );
}
