// What apps asked for and the service has done: the truth that clients are compared with.

/** A device that a sign-in of an app has opened. */
export interface DeviceRecord {
  id: string;
  /** The name of its user. */
  user: string;
  /** The place of the app that has it, and the moment when its sign-in was sent. */
  place: string;
  begun: number;
  /** Whether the app instance that signed in is still running. */
  alive: () => boolean;
  /** The newest refresh token, and the oldest that a change of the password has left. */
  sequence: number;
  floor: number;
  /** Whether an app instance got its tokens in time, and whether one has stored them. */
  delivered: boolean;
  stored: boolean;
  /** The reasons for which its session may end, because somebody asked for it elsewhere. */
  reasons: Set<string>;
  /** Access tokens that apps got, by the names that they know them by. */
  access: Set<string>;
}

/** A call of an app by which sessions of its own place end. */
interface Leaving {
  place: string;
  /** Whether it signs out all devices. */
  all: boolean;
  /** When it was over; a session that somebody began to open later is none of its business. */
  over: number;
}

/** A change of the password that an app instance has begun. */
export interface Change {
  /** The device that the service has given new tokens. */
  device: DeviceRecord | undefined;
  /** Whether the new tokens may be lost by now. */
  lost: () => boolean;
}

export class Ledger {
  readonly devices = new Map<string, DeviceRecord>();
  readonly refresh = new Map<string, { device: DeviceRecord; sequence: number }>();
  readonly access = new Map<string, { token: string; issued: number; device: DeviceRecord }>();
  readonly leaving: Leaving[] = [];
  /** By the new password. */
  readonly changes = new Map<string, Change>();
  #names = 0;

  opened(device: Pick<DeviceRecord, "id" | "user" | "place" | "begun" | "alive">): void {
    const none = { sequence: 0, floor: 0, delivered: false, stored: false };
    this.devices.set(device.id, { ...device, ...none, reasons: new Set(), access: new Set() });
  }

  /**
   * Names an access token as apps are to know it. Tokens of one device that were made in the same second are the same text,
   * but in a schedule a quarter of an hour may have passed since.
   */
  name(token: string, device: DeviceRecord, issued: number): string {
    const name = `v4.public.${++this.#names}`;
    this.access.set(name, { token, issued, device });
    return name;
  }

  /** The service has ended devices by a request of `by`. */
  ended(what: string, by: DeviceRecord): void {
    for (const device of this.devices.values()) {
      if (device.user !== by.user) continue;
      const elsewhere = what === "POST auth/logout-all" ? device.place !== by.place : device !== by;
      if (elsewhere || this.#left(device, true)) device.reasons.add("signed_out_everywhere");
    }
  }

  #left({ place, begun }: DeviceRecord, all: boolean): boolean {
    return this.leaving.some((leaving) => leaving.place === place && (leaving.all || !all) && leaving.over > begun);
  }

  /** Whether a change of the password has left nobody with tokens of `device`. */
  lost(device: DeviceRecord): boolean {
    return [...this.changes.values()].some((change) => change.device === device && change.lost());
  }

  /** Whether somebody has asked for this end of a session. */
  mayEnd(device: DeviceRecord, reason: string): boolean {
    if (reason === "password_changed") return this.lost(device);
    return device.reasons.has(reason) || (reason === "signed_out" && this.#left(device, false));
  }
}
