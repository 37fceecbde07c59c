// The first screen of somebody who is signed in.

import type { User } from "@rescind/client";
import { useState } from "react";

import { useAnswer } from "../asking";
import { useLanguage } from "../language";
import { Button } from "../parts/Button";
import { Card, Line } from "../parts/Card";
import { Notice } from "../parts/Notice";
import { Page } from "../parts/Page";
import type { Session } from "../session";
import { day, describe } from "../texts";
import { SignOut } from "./SignOut";

interface Properties {
  session: Session;
  user: User;
  showDevices: () => void;
}

export function Home({ session, user, showDevices }: Properties) {
  const { texts } = useLanguage();
  const [isLeaving, setLeaving] = useState(false);
  // Also how the app learns that it was signed out from elsewhere: the client then calls `onSignedOut`.
  const { answer: me, error } = useAnswer(() => session.client.me());
  return (
    <Page title={texts.home}>
      {error !== undefined && <Notice>{isOffline(error) ? texts.offline : describe(error, texts)}</Notice>}
      <Card>
        <Line look="strong">{texts.hello(user.username)}</Line>
        {me && (
          <>
            <Line>{me.device.name}</Line>
            <Line look="muted">{texts.signedInSince(day(new Date(me.device.created_at), texts))}</Line>
            {error === undefined && <Line look="muted">{texts.checked}</Line>}
          </>
        )}
      </Card>
      <Button onPress={showDevices}>{texts.devices}</Button>
      <Button look="quiet" onPress={() => setLeaving(true)}>
        {texts.signOut}
      </Button>
      {isLeaving && <SignOut session={session} onCancel={() => setLeaving(false)} />}
    </Page>
  );
}

/** Whether the service was not reached, which a user can only wait for. */
export const isOffline = (error: unknown) => (error as { code?: unknown }).code === "network";
