// The language of the app: the device's, until the user chooses another one, which is remembered.

import { createContext, type ReactNode, useContext, useEffect, useState } from "react";

import { languages as ofDevice, storage } from "./platform";
import { type Language, languages, preferred, type Texts, textsIn } from "./texts";

interface Spoken {
  language: Language;
  texts: Texts;
  speak(language: Language): void;
}

const Context = createContext<Spoken | null>(null);
const key = "example.language";

export function Languages({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState<Language>(() => preferred(ofDevice()));
  useEffect(() => {
    // A storage that fails forgets the choice, nothing more.
    void Promise.resolve()
      .then(() => storage.getItem(key))
      .then((chosen) => languages.includes(chosen as Language) && setLanguage(chosen as Language))
      .catch(() => {});
  }, []);
  const speak = (next: Language) => {
    setLanguage(next);
    void Promise.resolve()
      .then(() => storage.setItem(key, next))
      .catch(() => {});
  };
  return <Context value={{ language, texts: textsIn(language), speak }}>{children}</Context>;
}

export function useLanguage(): Spoken {
  const spoken = useContext(Context);
  if (!spoken) throw new Error("this component has to be inside of <Languages>");
  return spoken;
}
