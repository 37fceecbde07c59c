// All that the app says, in English.

import type { Texts } from "../texts";

export const en: Texts = {
  language: "English",
  locale: "en-GB",
  starting: "One moment…",
  retry: "Try again",
  cancel: "Cancel",
  back: "Back",

  signIn: "Sign in",
  signInWith: "Sign in to see your account and your devices.",
  register: "Create an account",
  registerWith: "Choose a name and a password of at least eight characters.",
  toRegister: "No account yet? Create one",
  toSignIn: "You have an account? Sign in",
  username: "Username",
  password: "Password",
  fill: "Please fill in your username and your password.",

  home: "Your account",
  hello: (name) => `Hello, ${name}`,
  signedInSince: (date) => `Signed in since ${date}`,
  checked: "The service has just confirmed your session.",
  offline: "No connection to the service. You stay signed in; this page updates by itself.",

  devices: "Your devices",
  thisDevice: "This device",
  lastSeen: (when) => `Last seen ${when}`,
  end: "Sign out",
  endNamed: (name) => `Sign out ${name}`,
  endTitle: (name) => `Sign out “${name}”?`,
  endText: "Whoever uses that device has to sign in again.",
  ended: (name) => `“${name}” is signed out.`,
  now: "just now",
  minutesAgo: (minutes) => (minutes === 1 ? "a minute ago" : `${minutes} minutes ago`),
  hoursAgo: (hours) => (hours === 1 ? "an hour ago" : `${hours} hours ago`),
  on: (date) => `on ${date}`,

  signOut: "Sign out",
  signOutTitle: "Sign out?",
  signOutText: "You can leave this device only, or all devices at once: phones, browsers and websites.",
  onThisDevice: "On this device",
  onAllDevices: "On all devices",
  leftHere: "You are signed out on this device.",
  leftEverywhere: (devices) =>
    devices === undefined || devices < 2
      ? "You are signed out on all devices."
      : `You are signed out on all ${devices} devices.`,
  leftHereUntold: "You are signed out on this device. The service will be told as soon as there is a connection.",
  leftEverywhereUntold:
    "You are signed out on this device. There is no connection: your other devices follow as soon as there is one.",
  otherDevicesStay: "You are signed out on this device, but your other devices may not be:",

  reasons: {
    signed_out: "This device was signed out, from another device or in another window.",
    signed_out_everywhere: "All your devices were signed out. If that was not you, sign in and change your password.",
    password_changed: "The password was changed. Sign in with the new one.",
    token_expired: "You have not been here for a long time. Please sign in again.",
    reset: "The service has ended all sessions. Please sign in again.",
    refresh_reused:
      "Somebody may have copied this device’s session, so it was ended. Sign in again and look through your devices.",
    user_disabled: "Your account is disabled. Please contact whoever runs this service.",
    token_invalid: "The session on this device can no longer be used. Please sign in again.",
  },
  errors: {
    network: "No connection to the service. Check your network and try again.",
    unexpected_answer: "Something between you and the service has answered. Does this network ask you to sign in?",
    not_signed_in: "You are no longer signed in here.",
    storage: "This device cannot store your session, or cannot read it.",
    wrong_credentials: "The username or the password is wrong.",
    username_taken: "This username is taken. Choose another one.",
    weak_password: "This password is too easy to guess. Choose another one.",
    forbidden: "This service does not allow that.",
    not_found: "This device is no longer signed in.",
    user_disabled: "Your account is disabled. Please contact whoever runs this service.",
    overloaded: "The service is busy. Please try again in a moment.",
    unavailable: "The service is not available. Please try again in a moment.",
    timeout: "The service took too long. Please try again in a moment.",
  },
  fields: {
    username: {
      too_short: "Please fill in your username.",
      too_long: "This username is too long.",
      invalid_characters: "This username has characters that are not allowed.",
      reserved: "This username is not allowed. Choose another one.",
    },
    password: {
      too_short: "A password has at least eight characters.",
      too_long: "This password is too long.",
      too_common: "Many people use this password. Choose another one.",
      same_as_username: "The password must not be the username.",
    },
  },
  waitFor: (seconds) => `Too many attempts. Please try again in ${seconds === 1 ? "a second" : `${seconds} seconds`}.`,
  unknown: (code, request) => `That did not work (${code}${request ? `, request ${request}` : ""}).`,

  site: "The website",
  siteSignInWith: "Sign in with the same account as on your phone.",
  siteText:
    "This website has a session of its own. Sign out on all devices on your phone, and you are back at the sign-in page.",
  sitePage: (page) => `Page ${page}`,
  siteNext: "Next page",
};
