// Something to know. Screen readers say it when it appears.

import { StyleSheet, Text, View } from "react-native";

import { useColors } from "../theme";

export function Notice({ children, tone = "plain" }: { children: string; tone?: "plain" | "danger" }) {
  const colors = useColors();
  const isDanger = tone === "danger";
  const look = {
    backgroundColor: isDanger ? colors.softDanger : colors.soft,
    borderColor: isDanger ? colors.danger : colors.accent,
  };
  return (
    <View role={isDanger ? "alert" : "status"} aria-live={isDanger ? "assertive" : "polite"} style={[styles.notice, look]}>
      <Text style={[styles.text, { color: colors.text }]}>{children}</Text>
    </View>
  );
}

const styles = StyleSheet.create({
  notice: { borderRadius: 12, borderLeftWidth: 4, paddingVertical: 12, paddingHorizontal: 14 },
  text: { fontSize: 15, lineHeight: 21 },
});
