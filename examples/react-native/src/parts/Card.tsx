// A group of things that belong together.

import type { ReactNode } from "react";
import { StyleSheet, Text, View, type ViewProps } from "react-native";

import { useColors } from "../theme";

export function Card({ children, role }: { children: ReactNode; role?: Exclude<ViewProps["role"], undefined> }) {
  const colors = useColors();
  return (
    <View {...(role && { role })} style={[styles.card, { backgroundColor: colors.card, borderColor: colors.line }]}>
      {children}
    </View>
  );
}

/** A line of text in two weights. */
export function Line({ children, look = "plain" }: { children: string; look?: "plain" | "strong" | "muted" }) {
  const colors = useColors();
  const color = look === "muted" ? colors.muted : colors.text;
  return <Text style={[look === "strong" ? styles.strong : styles.line, { color }]}>{children}</Text>;
}

const styles = StyleSheet.create({
  card: { borderRadius: 16, borderWidth: 1, padding: 18, gap: 12 },
  line: { fontSize: 15, lineHeight: 21 },
  strong: { fontSize: 17, lineHeight: 23, fontWeight: "600" },
});
