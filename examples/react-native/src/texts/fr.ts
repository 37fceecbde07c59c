// All that the app says, in French.

import type { Texts } from "../texts";

export const fr: Texts = {
  language: "Français",
  locale: "fr-FR",
  starting: "Un instant…",
  retry: "Réessayer",
  cancel: "Annuler",
  back: "Retour",

  signIn: "Se connecter",
  signInWith: "Connectez-vous pour voir votre compte et vos appareils.",
  register: "Créer un compte",
  registerWith: "Choisissez un nom et un mot de passe d’au moins huit caractères.",
  toRegister: "Pas de compte\u00a0? Créez-en un",
  toSignIn: "Déjà un compte\u00a0? Se connecter",
  username: "Nom d’utilisateur",
  password: "Mot de passe",
  fill: "Saisissez votre nom d’utilisateur et votre mot de passe.",

  home: "Votre compte",
  hello: (name) => `Bonjour ${name}`,
  signedInSince: (date) => `Session ouverte le ${date}`,
  checked: "Le service vient de confirmer votre session.",
  offline: "Pas de connexion au service. Votre session reste ouverte\u00a0; cette page se met à jour d’elle-même.",

  devices: "Vos appareils",
  thisDevice: "Cet appareil",
  lastSeen: (when) => `Dernière activité ${when}`,
  end: "Déconnecter",
  endNamed: (name) => `Déconnecter ${name}`,
  endTitle: (name) => `Déconnecter «\u00a0${name}\u00a0»\u00a0?`,
  endText: "Il faudra se reconnecter sur cet appareil.",
  ended: (name) => `La session est fermée sur «\u00a0${name}\u00a0».`,
  now: "à l’instant",
  minutesAgo: (minutes) => (minutes === 1 ? "il y a une minute" : `il y a ${minutes} minutes`),
  hoursAgo: (hours) => (hours === 1 ? "il y a une heure" : `il y a ${hours} heures`),
  on: (date) => `le ${date}`,

  signOut: "Se déconnecter",
  signOutTitle: "Se déconnecter\u00a0?",
  signOutText:
    "Vous pouvez quitter cet appareil seulement, ou tous à la fois\u00a0: téléphones, navigateurs et sites web.",
  onThisDevice: "Sur cet appareil",
  onAllDevices: "Sur tous les appareils",
  leftHere: "Votre session est fermée sur cet appareil.",
  leftEverywhere: (devices) =>
    devices === undefined || devices < 2
      ? "Vos sessions sont fermées sur tous vos appareils."
      : `Vos sessions sont fermées sur vos ${devices} appareils.`,
  leftHereUntold: "Votre session est fermée sur cet appareil. Le service en sera averti dès que la connexion reviendra.",
  leftEverywhereUntold:
    "Votre session est fermée sur cet appareil. Il n’y a pas de connexion\u00a0: " +
    "vos autres appareils suivront dès qu’elle reviendra.",
  otherDevicesStay: "Votre session est fermée sur cet appareil, mais peut-être pas sur les autres\u00a0:",

  reasons: {
    signed_out: "La session de cet appareil a été fermée, depuis un autre appareil ou dans une autre fenêtre.",
    signed_out_everywhere:
      "Tous vos appareils ont été déconnectés. Si ce n’était pas vous, connectez-vous et changez votre mot de passe.",
    password_changed: "Le mot de passe a été changé. Connectez-vous avec le nouveau.",
    token_expired: "Votre dernière visite est trop ancienne. Veuillez vous reconnecter.",
    reset: "Le service a mis fin à toutes les sessions. Veuillez vous reconnecter.",
    refresh_reused:
      "Quelqu’un a peut-être copié la session de cet appareil\u00a0; elle a donc été fermée. " +
      "Reconnectez-vous et vérifiez vos appareils.",
    user_disabled: "Votre compte est désactivé. Adressez-vous au responsable de ce service.",
    token_invalid: "La session de cet appareil n’est plus utilisable. Veuillez vous reconnecter.",
  },
  errors: {
    network: "Pas de connexion au service. Vérifiez votre réseau et réessayez.",
    unexpected_answer: "Ce n’est pas le service qui a répondu. Ce réseau vous demande-t-il de vous identifier\u00a0?",
    not_signed_in: "Il n’y a plus de session ici.",
    storage: "Cet appareil ne peut pas enregistrer votre session, ou ne peut pas la lire.",
    wrong_credentials: "Le nom d’utilisateur ou le mot de passe est incorrect.",
    username_taken: "Ce nom d’utilisateur est déjà pris. Choisissez-en un autre.",
    weak_password: "Ce mot de passe est trop facile à deviner. Choisissez-en un autre.",
    forbidden: "Ce service ne le permet pas.",
    not_found: "Cet appareil n’a plus de session.",
    user_disabled: "Votre compte est désactivé. Adressez-vous au responsable de ce service.",
    overloaded: "Le service est très sollicité. Réessayez dans un instant.",
    unavailable: "Le service n’est pas disponible. Réessayez dans un instant.",
    timeout: "Le service a mis trop de temps à répondre. Réessayez dans un instant.",
  },
  fields: {
    username: {
      too_short: "Saisissez votre nom d’utilisateur.",
      too_long: "Ce nom d’utilisateur est trop long.",
      invalid_characters: "Ce nom d’utilisateur contient des caractères interdits.",
      reserved: "Ce nom d’utilisateur n’est pas permis. Choisissez-en un autre.",
    },
    password: {
      too_short: "Un mot de passe a au moins huit caractères.",
      too_long: "Ce mot de passe est trop long.",
      too_common: "Beaucoup de gens utilisent ce mot de passe. Choisissez-en un autre.",
      same_as_username: "Le mot de passe ne peut pas être le nom d’utilisateur.",
    },
  },
  waitFor: (seconds) => `Trop de tentatives. Réessayez dans ${seconds === 1 ? "une seconde" : `${seconds} secondes`}.`,
  unknown: (code, request) => `Cela n’a pas fonctionné (${code}${request ? `, requête ${request}` : ""}).`,

  site: "Le site web",
  siteSignInWith: "Connectez-vous avec le même compte que sur votre téléphone.",
  siteText:
    "Ce site a sa propre session. Déconnectez tous vos appareils depuis votre téléphone, " +
    "et vous reviendrez à la page de connexion.",
  sitePage: (page) => `Page ${page}`,
  siteNext: "Page suivante",
};
