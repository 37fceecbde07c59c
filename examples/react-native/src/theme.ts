// Colours, light and dark. Text has a contrast of at least 4.5 to 1 on what it stands on, borders of fields 3 to 1.

import { useColorScheme } from "react-native";

const light = {
  page: "#f6f6fb",
  card: "#ffffff",
  text: "#1b1a28",
  muted: "#5a586d",
  line: "#e2e1ec",
  field: "#86849a",
  accent: "#4a3bc8",
  onAccent: "#ffffff",
  soft: "#eceafb",
  danger: "#b3261e",
  onDanger: "#ffffff",
  softDanger: "#fceceb",
  shade: "rgba(20, 18, 40, 0.5)",
};

export type Colors = typeof light;

const dark: Colors = {
  page: "#13121b",
  card: "#1e1d29",
  text: "#f2f1f8",
  muted: "#b4b2c5",
  line: "#353445",
  field: "#85839a",
  accent: "#b9b0ff",
  onAccent: "#1c1450",
  soft: "#2b2846",
  danger: "#ffb4ab",
  onDanger: "#560f0a",
  softDanger: "#45211f",
  shade: "rgba(0, 0, 0, 0.65)",
};

export const useColors = (): Colors => (useColorScheme() === "dark" ? dark : light);
