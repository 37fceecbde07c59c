// The frame of every screen: a heading, the switch of the language, and a column that is narrow also on a wide window.

import { type ReactNode, useEffect, useRef } from "react";
import { ScrollView, StyleSheet, Text, View, type ViewInstance } from "react-native";

import { useLanguage } from "../language";
import { namePage, topInset } from "../platform";
import { languages, textsIn } from "../texts";
import { useColors } from "../theme";
import { Button } from "./Button";

interface Properties {
  title: string;
  /** What stands above the heading, as a way back. */
  above?: ReactNode;
  children: ReactNode;
}

export function Page({ title, above, children }: Properties) {
  const colors = useColors();
  const { language, speak } = useLanguage();
  const heading = useRef<ViewInstance>(null);
  // The keyboard and screen readers go on at the top of the new screen.
  useEffect(() => heading.current?.focus(), []);
  useEffect(() => namePage(title, language), [title, language]);
  return (
    <ScrollView
      style={[styles.page, { backgroundColor: colors.page }]}
      contentContainerStyle={[styles.content, { paddingTop: topInset + 12 }]}
      keyboardShouldPersistTaps="handled"
    >
      <View role="main" style={styles.column}>
        <View style={styles.top}>
          <View style={styles.above}>{above}</View>
          {languages
            .filter((other) => other !== language)
            .map((other) => (
              <Button key={other} look="link" onPress={() => speak(other)}>
                {textsIn(other).language}
              </Button>
            ))}
        </View>
        <View ref={heading} tabIndex={-1} role="heading" aria-label={title} style={styles.heading}>
          <Text style={[styles.title, { color: colors.text }]}>{title}</Text>
        </View>
        {children}
      </View>
    </ScrollView>
  );
}

const styles = StyleSheet.create({
  page: { flex: 1 },
  content: { flexGrow: 1, alignItems: "center", paddingHorizontal: 20, paddingBottom: 32 },
  column: { width: "100%", maxWidth: 440, gap: 16 },
  top: { flexDirection: "row", justifyContent: "space-between", alignItems: "center" },
  above: { flexShrink: 1, alignItems: "flex-start" },
  heading: { marginBottom: 4 },
  title: { fontSize: 30, lineHeight: 36, fontWeight: "700" },
});
