// The devices on which the user is signed in.

import type { Client, Device } from "@rescind/client";
import { useEffect, useState } from "react";
import { StyleSheet, Text, View } from "react-native";

import { useAnswer } from "../asking";
import { useLanguage } from "../language";
import { Button } from "../parts/Button";
import { Card, Line } from "../parts/Card";
import { Dialog } from "../parts/Dialog";
import { Notice } from "../parts/Notice";
import { Page } from "../parts/Page";
import { whenLeft } from "../platform";
import type { Session } from "../session";
import { describe, lastSeen } from "../texts";
import { useColors } from "../theme";
import { isOffline } from "./Home";

export function Devices({ session, back }: { session: Session; back: () => void }) {
  const { texts } = useLanguage();
  const { answer: devices, error, again } = useAnswer(() => all(session.client));
  const [asked, setAsked] = useState<Device>();
  const [ended, setEnded] = useState<string>();
  const [refused, setRefused] = useState<unknown>();
  useEffect(() => whenLeft(back), [back]);

  async function end({ id, name }: Device) {
    setAsked(undefined);
    setEnded(undefined);
    setRefused(undefined);
    try {
      await session.client.devices.end(id);
      setEnded(name);
    } catch (refusal) {
      setRefused(refusal);
    }
    await again();
  }

  return (
    <Page title={texts.devices} above={<Button look="link" onPress={back}>{`‹ ${texts.back}`}</Button>}>
      {error !== undefined && <Notice>{isOffline(error) ? texts.offline : describe(error, texts)}</Notice>}
      {refused !== undefined && <Notice tone="danger">{describe(refused, texts)}</Notice>}
      {ended !== undefined && <Notice>{texts.ended(ended)}</Notice>}
      {devices ? (
        <View role="list" style={styles.list}>
          {devices.map((device) => (
            <Row key={device.id} device={device} end={() => setAsked(device)} />
          ))}
        </View>
      ) : (
        error === undefined && <Line look="muted">{texts.starting}</Line>
      )}
      {asked && (
        <Dialog title={texts.endTitle(asked.name)} text={texts.endText} onCancel={() => setAsked(undefined)}>
          <Button look="danger" onPress={() => void end(asked)}>
            {texts.end}
          </Button>
          <Button look="quiet" onPress={() => setAsked(undefined)}>
            {texts.cancel}
          </Button>
        </Dialog>
      )}
    </Page>
  );
}

function Row({ device, end }: { device: Device; end: () => void }) {
  const { texts } = useLanguage();
  const colors = useColors();
  return (
    <Card role="listitem">
      <Line look="strong">{device.name}</Line>
      <Line look="muted">{lastSeen(device, texts, new Date())}</Line>
      {device.current ? (
        <View style={[styles.badge, { backgroundColor: colors.soft }]}>
          <Text style={[styles.badgeText, { color: colors.accent }]}>{texts.thisDevice}</Text>
        </View>
      ) : (
        <Button look="quiet" label={texts.endNamed(device.name)} onPress={end}>
          {texts.end}
        </Button>
      )}
    </Card>
  );
}

/** This device first, then the others, the one used last above. */
async function all({ devices }: Client): Promise<Device[]> {
  const found: Device[] = [];
  let after: string | undefined;
  do {
    const { results, next } = await devices.list(after === undefined ? {} : { after });
    found.push(...results);
    after = next;
  } while (after !== undefined);
  const seen = ({ last_seen_at, created_at }: Device) => last_seen_at ?? created_at;
  return found.sort((one, other) => Number(other.current) - Number(one.current) || seen(other).localeCompare(seen(one)));
}

const styles = StyleSheet.create({
  list: { gap: 12 },
  badge: { alignSelf: "flex-start", borderRadius: 999, paddingVertical: 4, paddingHorizontal: 12 },
  badgeText: { fontSize: 14, fontWeight: "600" },
});
