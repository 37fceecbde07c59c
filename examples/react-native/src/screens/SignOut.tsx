// The question how far a sign-out goes.

import { useLanguage } from "../language";
import { Button } from "../parts/Button";
import { Dialog } from "../parts/Dialog";
import type { Session } from "../session";

export function SignOut({ session, onCancel }: { session: Session; onCancel: () => void }) {
  const { texts } = useLanguage();
  return (
    <Dialog title={texts.signOutTitle} text={texts.signOutText} onCancel={onCancel}>
      <Button onPress={() => void session.signOut("here")}>{texts.onThisDevice}</Button>
      <Button look="danger" onPress={() => void session.signOut("everywhere")}>
        {texts.onAllDevices}
      </Button>
      <Button look="quiet" onPress={onCancel}>
        {texts.cancel}
      </Button>
    </Dialog>
  );
}
