// A button, large enough for a finger.

import { Pressable, StyleSheet, Text } from "react-native";

import { type Colors, useColors } from "../theme";

type Look = "main" | "quiet" | "danger" | "link";

interface Properties {
  children: string;
  onPress: () => void;
  look?: Look;
  /** What a screen reader says, where the text alone would not be enough. */
  label?: string;
  /** Something is under way: the button cannot be pressed. */
  busy?: boolean;
}

export function Button({ children, onPress, look = "main", label, busy = false }: Properties) {
  const colors = useColors();
  const { background, border, text } = looks(colors)[look];
  return (
    <Pressable
      role="button"
      {...(label !== undefined && { "aria-label": label })}
      aria-disabled={busy}
      disabled={busy}
      onPress={onPress}
      style={({ pressed }) => [
        styles.button,
        look === "link" && styles.link,
        { backgroundColor: background, borderColor: border, opacity: busy ? 0.6 : pressed ? 0.8 : 1 },
      ]}
    >
      <Text style={[styles.text, look === "link" && styles.linkText, { color: text }]}>{children}</Text>
    </Pressable>
  );
}

const looks = (colors: Colors): Record<Look, { background: string; border: string; text: string }> => ({
  main: { background: colors.accent, border: colors.accent, text: colors.onAccent },
  quiet: { background: "transparent", border: colors.field, text: colors.text },
  danger: { background: colors.danger, border: colors.danger, text: colors.onDanger },
  link: { background: "transparent", border: "transparent", text: colors.accent },
});

const styles = StyleSheet.create({
  button: {
    minHeight: 48,
    borderRadius: 12,
    borderWidth: 1,
    paddingVertical: 12,
    paddingHorizontal: 18,
    alignItems: "center",
    justifyContent: "center",
  },
  text: { fontSize: 16, lineHeight: 22, fontWeight: "600", textAlign: "center" },
  link: { paddingHorizontal: 8, marginHorizontal: -8 },
  linkText: { fontSize: 15 },
});
