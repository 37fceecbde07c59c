// A field with its label above.

import type { Ref } from "react";
import { StyleSheet, Text, TextInput, type TextInputInstance, type TextInputProps, View } from "react-native";

import { useColors } from "../theme";

interface Properties extends Omit<TextInputProps, "ref"> {
  label: string;
  ref?: Ref<TextInputInstance>;
}

export function Field({ label, ref, ...rest }: Properties) {
  const colors = useColors();
  return (
    <View style={styles.field}>
      {/* The field says it itself. */}
      <Text aria-hidden style={[styles.label, { color: colors.text }]}>
        {label}
      </Text>
      <TextInput
        ref={ref ?? null}
        aria-label={label}
        autoCapitalize="none"
        autoCorrect={false}
        submitBehavior="submit"
        style={[styles.input, { color: colors.text, borderColor: colors.field, backgroundColor: colors.card }]}
        {...rest}
      />
    </View>
  );
}

const styles = StyleSheet.create({
  field: { gap: 6 },
  label: { fontSize: 15, fontWeight: "600" },
  input: { minHeight: 48, borderRadius: 12, borderWidth: 1, paddingHorizontal: 14, fontSize: 16 },
});
