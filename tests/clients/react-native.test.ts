// `examples/react-native/` in real browsers: a user presses its buttons, on a phone's narrow window and beside the website.
// The screenshots are in `target/screenshots/react-native/`.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";

import { launched } from "./chromium.ts";
import { Person, password, screenshots, World } from "./phone.ts";

let world: World;
let browser: Browser;

before(async () => {
  await mkdir(screenshots, { recursive: true });
  world = await World.start();
  browser = await launched();
});
after(async () => {
  await browser?.close();
  await world?.stop();
});

const phone = (options = {}) => Person.at(world.app, browser, options);
const desktop = (options = {}) => Person.at(world.site, browser, { viewport: { width: 1000, height: 640 }, ...options });

const everywhere = "All your devices were signed out. If that was not you, sign in and change your password.";

test("a sign-out on this device leaves the others", async () => {
  const ada = await phone();
  await ada.registers("ada here");
  const tablet = await phone();
  await tablet.signsIn("ada here");
  await tablet.sees("Hello, ada here");

  await ada.sees("The service has just confirmed your session.");
  await ada.pictured("en-home");
  await ada.press("Sign out");
  await ada.pictured("en-sign-out");
  await ada.press("Cancel");
  await ada.signsOut("On this device");
  await ada.sees("You are signed out on this device.");
  await ada.pictured("en-signed-out-here");

  await tablet.press("Your devices");
  await tablet.sees("This device");
  assert.equal(await tablet.page.getByRole("listitem").count(), 1);
  await tablet.page.reload();
  await tablet.sees("The service has just confirmed your session.");
  await Promise.all([ada.leaves(), tablet.leaves()]);
});

test("a sign-out on all devices sends the website and the other devices to their sign-in pages, which say why", async () => {
  const ada = await phone();
  await ada.registers("ada everywhere");
  const tablet = await phone();
  const site = await desktop();
  // A page without scripts learns it with its next request.
  const plain = await desktop({ javaScriptEnabled: false });
  for (const other of [tablet, site, plain]) {
    await other.signsIn("ada everywhere");
    await other.sees("Hello, ada everywhere");
  }
  await site.pictured("en-website");
  await plain.page.getByRole("link", { name: "Next page" }).click();
  await plain.sees("Page 2");

  await ada.signsOut("On all devices");
  await ada.sees("You are signed out on all 4 devices.");
  await ada.pictured("en-signed-out-everywhere");

  await site.sees(everywhere);
  await site.button("Sign in").waitFor();
  await site.pictured("en-website-signed-out");
  await plain.page.getByRole("link", { name: "Next page" }).click();
  await plain.sees(everywhere);
  await plain.button("Sign in").waitFor();
  await tablet.comesBack();
  await tablet.sees(everywhere);
  await tablet.pictured("en-ended-everywhere");

  // The reason is said once, and signing in again works at once.
  await site.page.reload();
  assert.equal(await site.page.getByText(everywhere).count(), 0);
  await site.signsIn("ada everywhere");
  await site.sees("Hello, ada everywhere");
  await site.press("Sign out");
  await site.button("Sign in").waitFor();
  await Promise.all([ada.leaves(), tablet.leaves(), site.leaves(), plain.leaves()]);
});

test("a device that is signed out in the list learns it", async () => {
  const ada = await phone();
  await ada.registers("ada lists");
  const site = await desktop();
  await site.signsIn("ada lists");
  await site.sees("Hello, ada lists");

  await ada.press("Your devices");
  await ada.sees("Website");
  const rows = await ada.page.getByRole("listitem").allInnerTexts();
  assert.match(rows[0]!, /Chrom.*\n+Last seen just now\n+This device/s);
  assert.match(rows[1]!, /Website\n+Last seen just now\n+Sign out/s);
  await ada.pictured("en-devices");
  await ada.press("Sign out Website");
  await ada.page.getByRole("dialog", { name: "Sign out “Website”?" }).waitFor();
  await ada.pictured("en-devices-end");
  await ada.press("Sign out");
  await ada.sees("“Website” is signed out.");
  await ada.pictured("en-devices-ended");
  await site.sees("This device was signed out, from another device or in another window.");
  await ada.page.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  await ada.press("‹ Back");
  await ada.heading("Your account").waitFor();
  await Promise.all([ada.leaves(), site.leaves()]);
});

test("without a connection the session stays, and a sign-out counts here at once and there in the end", async () => {
  const ada = await phone();
  await ada.registers("ada offline");
  const site = await desktop();
  await site.signsIn("ada offline");
  await site.sees("Hello, ada offline");

  await ada.context.setOffline(true);
  await ada.press("Your devices");
  await ada.sees("No connection to the service. You stay signed in; this page updates by itself.");
  await ada.press("‹ Back");
  await ada.sees("No connection to the service. You stay signed in; this page updates by itself.");
  await ada.pictured("en-offline");
  await ada.signsOut("On all devices");
  await ada.sees("There is no connection: your other devices follow as soon as there is one.");
  await ada.signsIn("ada offline");
  await ada.sees("No connection to the service. Check your network and try again.");
  await ada.pictured("en-signed-out-offline");
  assert.equal(await site.page.getByText("Hello, ada offline").count(), 1);

  await ada.context.setOffline(false);
  await ada.sees("You are signed out on all devices.");
  await site.sees(everywhere);
  await Promise.all([ada.leaves(), site.leaves()]);
});

test("a service that is killed and starts again signs nobody out, and learns of the sign-outs meanwhile", async () => {
  const ada = await phone();
  await ada.registers("ada restarts");
  const tablet = await phone();
  await tablet.signsIn("ada restarts");
  await tablet.sees("The service has just confirmed your session.");
  const site = await desktop();
  await site.signsIn("ada restarts");
  await site.sees("Hello, ada restarts");

  await world.service.kill();
  await tablet.comesBack();
  await tablet.sees("No connection to the service. You stay signed in; this page updates by itself.");
  await site.page.reload();
  await site.sees("No connection to the service. Check your network and try again.");
  await site.pictured("en-website-offline");
  await ada.signsOut("On this device");
  await ada.sees("You are signed out on this device. The service will be told as soon as there is a connection.");
  await world.service.resume();

  await ada.comesBack();
  await ada.page.getByText("You are signed out on this device.", { exact: true }).waitFor();
  await tablet.comesBack();
  await tablet.sees("The service has just confirmed your session.");
  await tablet.press("Your devices");
  await tablet.sees("Website");
  assert.equal(await tablet.page.getByRole("listitem").count(), 2);
  await site.page.getByRole("link", { name: "Try again" }).click();
  await site.sees("Hello, ada restarts");
  await Promise.all([ada.leaves(), tablet.leaves(), site.leaves()]);
});

test("a storage that cannot be read is told, and the session is there again once it can be", async () => {
  const unreadable = "This device cannot store your session, or cannot read it.";
  const ada = await phone();
  await ada.registers("ada unlocks");
  await ada.page.addInitScript(() => {
    const { getItem } = Storage.prototype;
    let isLocked = true;
    addEventListener("unlock", () => (isLocked = false));
    Storage.prototype.getItem = function (key) {
      if (isLocked) throw new DOMException("The storage is locked");
      return getItem.call(this, key);
    };
  });
  await ada.page.reload();
  await ada.sees(unreadable);
  await ada.pictured("en-storage-unreadable");
  await ada.press("Try again");
  await ada.sees(unreadable);
  await ada.page.evaluate(() => void dispatchEvent(new Event("unlock")));
  await ada.press("Try again");
  await ada.sees("Hello, ada unlocks");
  await ada.leaves();
});

test("the app speaks French to those whose device does, and remembers another choice", async () => {
  const ada = await phone({ locale: "fr-FR" });
  const site = await desktop({ locale: "fr-FR" });
  const fields = ["Nom d’utilisateur", "Mot de passe"];
  await ada.heading("Se connecter").waitFor();
  assert.equal(await ada.page.locator("html").getAttribute("lang"), "fr");
  assert.equal(await ada.page.title(), "Se connecter");
  await ada.pictured("fr-sign-in");
  await ada.press("Pas de compte\u00a0? Créez-en un");
  await ada.press("Créer un compte");
  await ada.sees("Saisissez votre nom d’utilisateur et votre mot de passe.");
  await ada.pictured("fr-register");
  await ada.signsIn("ada parle", { button: "Créer un compte", fields });
  await ada.sees("Bonjour ada parle");
  await site.pictured("fr-website-sign-in");
  await site.signsIn("ada parle", { button: "Se connecter", fields });
  await site.sees("Bonjour ada parle");
  await site.pictured("fr-website");
  await ada.pictured("fr-home");

  await ada.press("Vos appareils");
  await ada.sees("Dernière activité à l’instant");
  await ada.pictured("fr-devices");
  await ada.press("Déconnecter Website");
  await ada.pictured("fr-devices-end");
  await ada.press("Annuler");
  await ada.press("‹ Retour");
  await ada.press("Se déconnecter");
  await ada.page.getByRole("dialog", { name: "Se déconnecter\u00a0?" }).waitFor();
  await ada.pictured("fr-sign-out");
  await ada.press("Sur tous les appareils");
  await ada.sees("Vos sessions sont fermées sur vos 2 appareils.");
  await ada.pictured("fr-signed-out-everywhere");
  await site.sees("Tous vos appareils ont été déconnectés.");
  await site.pictured("fr-website-signed-out");
  await ada.signsIn("ada parle", { button: "Se connecter", fields });
  await ada.sees("Le service vient de confirmer votre session.");
  const tablet = await phone({ locale: "fr-CA" });
  await tablet.signsIn("ada parle", { button: "Se connecter", fields });
  await tablet.sees("Bonjour ada parle");
  await ada.context.setOffline(true);
  await ada.press("Vos appareils");
  await ada.sees("Pas de connexion au service. Votre session reste ouverte\u00a0; cette page se met à jour d’elle-même.");
  await ada.pictured("fr-devices-offline");
  await ada.press("‹ Retour");
  await ada.press("Se déconnecter");
  await ada.press("Sur tous les appareils");
  await ada.sees("Il n’y a pas de connexion\u00a0: vos autres appareils suivront dès qu’elle reviendra.");
  await ada.pictured("fr-signed-out-offline");
  await ada.context.setOffline(false);
  await ada.sees("Vos sessions sont fermées sur tous vos appareils.");
  await tablet.comesBack();
  await tablet.sees("Tous vos appareils ont été déconnectés.");
  await tablet.pictured("fr-ended-everywhere");
  await ada.press("English");
  await ada.sees("You are signed out on all devices.");
  await ada.page.reload();
  await ada.heading("Sign in").waitFor();
  assert.equal(await ada.page.locator("html").getAttribute("lang"), "en");
  await Promise.all([ada.leaves(), tablet.leaves(), site.leaves()]);
});

test("what is wrong with a sign-in or a registration is said in plain words", async () => {
  const ada = await phone();
  await ada.pictured("en-sign-in");
  await ada.press("Sign in");
  await ada.sees("Please fill in your username and your password.");
  await ada.signsIn("nobody");
  await ada.sees("The username or the password is wrong.");
  await ada.pictured("en-sign-in-wrong");
  await ada.press("No account yet? Create one");
  for (const [username, secret, text] of [
    ["ada errs", "short", "A password has at least eight characters."],
    ["ada errs", "password1234", "Many people use this password. Choose another one."],
    ["a/b", password, "This username has characters that are not allowed."],
  ] as const) {
    await ada.signsIn(username, { button: "Create an account", secret });
    await ada.sees(text);
  }
  await ada.pictured("en-register-wrong");
  await ada.signsIn("ada errs", { button: "Create an account" });
  await ada.heading("Your account").waitFor();
  const other = await phone();
  await other.press("No account yet? Create one");
  await other.signsIn("ada errs", { button: "Create an account" });
  await other.sees("This username is taken. Choose another one.");
  const site = await desktop();
  await site.signsIn("nobody <b>");
  await site.sees("The username or the password is wrong.");
  assert.equal(await site.field("Username").inputValue(), "nobody <b>");
  await site.pictured("en-website-wrong");
  await Promise.all([ada.leaves(), other.leaves(), site.leaves()]);
});

test("the keyboard does all, and the dialog keeps it until it is closed", async () => {
  const ada = await phone({ colorScheme: "dark" });
  const { keyboard } = ada.page;
  const focused = () =>
    ada.page.evaluate(() => {
      const { activeElement } = document;
      return activeElement?.getAttribute("aria-label") ?? activeElement?.textContent;
    });
  await ada.heading("Sign in").waitFor();
  assert.equal(await focused(), "Sign in", "a new screen begins at its heading");
  for (let stops = 0; (await focused()) !== "No account yet? Create one"; stops++) {
    assert.ok(stops < 10, "the keyboard never gets there");
    await keyboard.press("Tab");
  }
  await ada.pictured("en-dark-sign-in");
  await keyboard.press("Enter");
  await ada.heading("Create an account").waitFor();
  await ada.field("Username").focus();
  await keyboard.type("ada types");
  await keyboard.press("Enter");
  assert.equal(await focused(), "Password");
  await keyboard.type(password);
  await keyboard.press("Enter");
  await ada.heading("Your account").waitFor();
  await ada.sees("The service has just confirmed your session.");
  await ada.pictured("en-dark-home");

  await ada.button("Sign out").focus();
  await keyboard.press("Enter");
  await ada.page.getByRole("dialog", { name: "Sign out?" }).waitFor();
  const stops = new Set<string | null | undefined>();
  for (let press = 0; press < 7; press++) {
    await keyboard.press("Tab");
    stops.add(await focused());
  }
  assert.deepEqual([...stops].sort(), ["Cancel", "On all devices", "On this device"]);
  await ada.pictured("en-dark-sign-out");
  await keyboard.press("Escape");
  await ada.page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await focused(), "Sign out", "the focus is back where it was");
  await keyboard.press("Space");
  await ada.button("On this device").focus();
  await keyboard.press("Enter");
  await ada.sees("You are signed out on this device.");
  await ada.leaves();
});
