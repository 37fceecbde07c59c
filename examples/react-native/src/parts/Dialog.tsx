// A question above the screen. Escape and the back button of a phone leave everything as it is.

import type { ReactNode } from "react";
import { Modal, ScrollView, StyleSheet, Text, View } from "react-native";

import { useColors } from "../theme";

interface Properties {
  title: string;
  text: string;
  onCancel: () => void;
  /** Its buttons. */
  children: ReactNode;
}

export function Dialog({ title, text, onCancel, children }: Properties) {
  const colors = useColors();
  return (
    <Modal transparent aria-label={title} animationType="none" onRequestClose={onCancel}>
      <ScrollView style={{ backgroundColor: colors.shade }} contentContainerStyle={styles.center}>
        <View style={[styles.box, { backgroundColor: colors.card }]}>
          <Text role="heading" style={[styles.title, { color: colors.text }]}>
            {title}
          </Text>
          <Text style={[styles.text, { color: colors.muted }]}>{text}</Text>
          <View style={styles.buttons}>{children}</View>
        </View>
      </ScrollView>
    </Modal>
  );
}

const styles = StyleSheet.create({
  center: { flexGrow: 1, justifyContent: "center", alignItems: "center", padding: 20 },
  box: { width: "100%", maxWidth: 400, borderRadius: 20, padding: 24, gap: 10 },
  title: { fontSize: 22, lineHeight: 28, fontWeight: "700" },
  text: { fontSize: 15, lineHeight: 21 },
  buttons: { gap: 10, marginTop: 10 },
});
