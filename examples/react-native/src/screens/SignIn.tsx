// Sign-in and registration, and why the session before has ended.

import { useRef, useState } from "react";
import type { TextInputInstance } from "react-native";

import { useRepeated } from "../asking";
import { useLanguage } from "../language";
import { Button } from "../parts/Button";
import { Card, Line } from "../parts/Card";
import { Field } from "../parts/Field";
import { Notice } from "../parts/Notice";
import { Page } from "../parts/Page";
import type { Notice as Ended, Session } from "../session";
import { describe, type Texts } from "../texts";

export function SignIn({ session, notice }: { session: Session; notice: Ended | undefined }) {
  const { texts } = useLanguage();
  const [isNew, setNew] = useState(false);
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [isEmpty, setEmpty] = useState(false);
  const second = useRef<TextInputInstance>(null);
  // A sign-out without a connection is told to the service as soon as there is one.
  useRepeated(() => void session.deliver());

  async function submit() {
    setError(undefined);
    const nothing = !username || !password;
    setEmpty(nothing);
    if (nothing || isBusy) return;
    setBusy(true);
    try {
      const { login, register } = session.client;
      await (isNew ? register : login)(username, password);
    } catch (refused) {
      setError(refused);
    } finally {
      setBusy(false);
    }
  }

  const change = (set: (text: string) => void) => (text: string) => {
    setError(undefined);
    setEmpty(false);
    set(text);
  };
  return (
    <Page title={isNew ? texts.register : texts.signIn}>
      {notice && <Notice>{explain(notice, texts)}</Notice>}
      <Card>
        <Line look="muted">{isNew ? texts.registerWith : texts.signInWith}</Line>
        <Field
          label={texts.username}
          value={username}
          onChangeText={change(setUsername)}
          autoComplete="username"
          returnKeyType="next"
          onSubmitEditing={() => second.current?.focus()}
        />
        <Field
          label={texts.password}
          ref={second}
          value={password}
          onChangeText={change(setPassword)}
          secureTextEntry
          autoComplete={isNew ? "new-password" : "current-password"}
          returnKeyType="go"
          onSubmitEditing={() => void submit()}
        />
        {isEmpty && <Notice tone="danger">{texts.fill}</Notice>}
        {error !== undefined && <Notice tone="danger">{describe(error, texts)}</Notice>}
        <Button busy={isBusy} onPress={() => void submit()}>
          {isNew ? texts.register : texts.signIn}
        </Button>
      </Card>
      <Button look="link" onPress={() => (setError(undefined), setEmpty(false), setNew(!isNew))}>
        {isNew ? texts.toSignIn : texts.toRegister}
      </Button>
    </Page>
  );
}

/** What became of the session that was here before. */
function explain(notice: Ended, texts: Texts): string {
  switch (notice.kind) {
    case "ended":
      return texts.reasons[notice.reason];
    case "refused":
      return `${texts.otherDevicesStay} ${describe(notice.error, texts)}`;
    case "left": {
      const { delivered, signed_out } = notice.outcome;
      if (notice.where === "here") return delivered ? texts.leftHere : texts.leftHereUntold;
      return delivered ? texts.leftEverywhere(signed_out) : texts.leftEverywhereUntold;
    }
  }
}
