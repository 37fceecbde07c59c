// One random schedule: a phone and a browser of one user, whose networks, clocks and lives are not to be relied on.

import assert from "node:assert/strict";

import type { Client } from "../../src/client.ts";
import { sessionKey } from "../../src/stored.ts";
import { type DeviceRecord, Ledger } from "./ledger.ts";
import { ask, type Backend, lifetime, noPassword, signIn } from "./network.ts";
import { type Instance, Place } from "./place.ts";
import { quiet, Steps } from "./steps.ts";

export interface Account extends Backend {
  /** Passwords by the names of users: of this one, and of those who registered in schedules. */
  passwords: Map<string, string>;
}

/** Runs the schedule of `seed` for a user who is signed in nowhere. Throws, with the steps, if a client did wrong. */
export async function runSchedule(account: Account, seed: number): Promise<Steps> {
  const schedule = new Schedule(account, seed);
  try {
    await schedule.run();
  } catch (error) {
    const { trace } = schedule.steps;
    throw new Error(`TEST_SEED=${seed}: ${(error as Error).message}\n${trace.join("\n")}`, { cause: error });
  }
  const { body } = await signIn(account);
  await ask(account, "POST", "auth/logout-all", body.access);
  return schedule.steps;
}

class Schedule {
  readonly steps: Steps;
  readonly ledger = new Ledger();
  readonly places: Place[];
  #failure: unknown;

  readonly account: Account;
  readonly seed: number;

  constructor(account: Account, seed: number) {
    this.account = account;
    this.seed = seed;
    this.steps = new Steps(seed);
    this.places = (["phone", "browser"] as const).map((name) => new Place(name, this.steps, this.ledger, account));
    for (const place of this.places) {
      place.network.onEffect = (what, device, sent) => this.#effect(what, device, sent);
      place.onFailure = (failure) => (this.#failure ??= failure);
    }
  }

  async run(): Promise<void> {
    const { steps } = this;
    for (const place of this.places) this.#call(place, place.start(), "login");
    for (let turns = 30 + steps.below(70); turns > 0; turns--) {
      if (steps.pending === 0 || steps.happens(0.2)) this.#act();
      else await steps.take();
      await quiet();
      if (this.#failure) throw this.#failure;
    }
    await this.#end();
  }

  /** Something happens that nobody waits for. */
  #act(): void {
    const { steps } = this;
    const place = steps.oneOf(this.places);
    const { network, instances } = place;
    const instance = instances.length ? steps.oneOf(instances) : place.start();
    const tabs = place.name === "browser" ? instances.length : 0;
    const acts: [weight: number, act: () => void][] = [
      [12, () => this.#call(place, instance, "me")],
      [4, () => this.#call(place, instance, "login")],
      [2, () => this.#call(place, instance, "loginByPassword")],
      [1, () => this.#call(place, instance, "register")],
      [4, () => this.#call(place, instance, "logout")],
      [2, () => this.#call(place, instance, "logoutAll")],
      [2, () => this.#call(place, instance, "logoutOthers")],
      [1, () => this.#call(place, instance, "changePassword")],
      [2, () => this.#call(place, instance, "end")],
      [4, () => (place.end(instance), void place.start())],
      [8, () => place.endSoon(instance)],
      [tabs && tabs < 3 ? 5 : 0, () => void place.start()],
      [tabs ? 1 : 0, () => place.end(instance)],
      [4, () => steps.note(`${place.name} online: ${(network.online = !network.online)}`)],
      [6, () => steps.pass(steps.oneOf([1_000, 31_000, lifetime * 0.95, lifetime * 1.2]))],
      [2, () => instance.calls.forEach((controller) => controller.abort())],
    ];
    let chosen = steps.below(acts.reduce((sum, [weight]) => sum + weight, 0));
    acts.find(([weight]) => (chosen -= weight) < 0)![1]();
  }

  #call(place: Place, instance: Instance, what: Call): void {
    const { steps, ledger } = this;
    const controller = new AbortController();
    instance.calls.add(controller);
    steps.note(`${instance.name} calls ${what}`);
    const isLeaving = what === "logout" || what === "logoutAll";
    const leaving = { place: place.name, all: what === "logoutAll", over: Infinity };
    const isSignIn = what === "login" || what === "loginByPassword" || what === "register";
    if (isLeaving || isSignIn) ledger.leaving.push(leaving);
    instance.leaving += isLeaving ? 1 : 0;
    const done = this.#start(place, instance, what, { signal: controller.signal });
    instance.leaving -= isLeaving ? 1 : 0;
    const settled = (outcome: string) => {
      steps.note(`  ${instance.name}: ${what} ${outcome}`);
      instance.calls.delete(controller);
      // A sign-in that is cancelled goes on.
      if (!controller.signal.aborted) leaving.over = steps.trace.length;
    };
    done.then(
      () => settled("is done"),
      (error) => settled(`failed: ${error.code}`),
    );
  }

  #start(place: Place, instance: Instance, what: Call, options: { signal: AbortSignal }): Promise<unknown> {
    const { client } = instance;
    const { user, passwords } = this.account;
    if (what === "login") return client.login(user, noPassword, options);
    if (what === "loginByPassword") return client.login(user, passwords.get(user)!, options);
    if (what === "register") return this.#register(client, options);
    if (what === "changePassword") return this.#changePassword(instance);
    if (what === "logout") return client.logout();
    if (what === "logoutAll") return client.logoutAll();
    if (what !== "end") return client[what](options);
    const own = this.#user(instance);
    const isOther = (device: DeviceRecord) => device.place !== place.name && device.user === own;
    const others = [...this.ledger.devices.values()].filter(isOther);
    const device = others.length ? this.steps.oneOf(others) : undefined;
    device?.reasons.add("signed_out");
    return client.devices.end(device?.id ?? "none", options);
  }

  #register(client: Client, options: { signal: AbortSignal }): Promise<unknown> {
    const { passwords, user } = this.account;
    const name = `${user}-${this.seed}-${this.steps.trace.length}`;
    passwords.set(name, newPassword);
    return client.register(name, newPassword, options);
  }

  /** The user whom an app instance holds. */
  #user({ held }: Instance): string {
    return this.ledger.devices.get(held ?? "")?.user ?? this.account.user;
  }

  #changePassword(instance: Instance): Promise<unknown> {
    const { steps, ledger } = this;
    const since = steps.time;
    const password = `staple engine tulip ${steps.trace.length}`;
    const change = instance.client.changePassword(this.account.passwords.get(this.#user(instance))!, password);
    let code: string | undefined;
    change.catch((error) => (code = error.code));
    // Nobody waits for new tokens longer than that.
    const late = () => steps.time - since >= 30_000;
    const lost = () => late() || !instance.life.alive || (code !== undefined && code !== "not_signed_in");
    ledger.changes.set(password, { device: undefined, lost });
    return change;
  }

  #effect(what: string, device: DeviceRecord | undefined, sent: any): void {
    if (what === "POST auth/password") {
      this.account.passwords.set(device!.user, sent.new_password);
      this.ledger.changes.get(sent.new_password)!.device = device;
    }
    if (/logout-all|logout-others|auth\/password/.test(what)) this.ledger.ended(what, device!);
  }

  /** Everything comes to rest: then all must be as it was asked for. */
  async #end(): Promise<void> {
    const { steps, places, ledger } = this;
    steps.note("everything comes to rest");
    steps.random = false;
    for (const { network, instances, start } of places) {
      network.online = true;
      for (const { life } of instances) life.endAfter(Infinity);
      if (instances.length === 0) start();
    }
    const rest = async (round: () => Promise<unknown>[]) => {
      const done = Promise.allSettled(round());
      let isDone = false;
      void done.then(() => (isDone = true));
      for (let turns = 0; turns < 2000; turns++) {
        await quiet();
        if (this.#failure) throw this.#failure;
        if (steps.pending) await steps.take();
        else if (!isDone || places.some(({ texts }) => [...texts.keys()].some((key) => key !== sessionKey))) steps.pass(1000);
        else break;
      }
      assert.ok(isDone, "a call never ends");
      return done;
    };
    const all = () => places.flatMap(({ instances }) => instances);
    await rest(() => all().map(({ client }) => client.me()));
    await rest(() => all().map(({ client }) => client.me()));
    for (const place of places) {
      const id: string | undefined = place.texts.has(sessionKey) && JSON.parse(place.texts.get(sessionKey)!).device;
      for (const { name, client, held, unexplained } of place.instances) {
        assert.deepEqual(unexplained, [], `${name} never learns why its session ended`);
        assert.equal(held, id || undefined, `${name} holds another session than its storage`);
        if (!id) continue;
        const [me] = await rest(() => [client.me()]);
        assert.equal(me?.status, "fulfilled", `${name} is not served: ${(me as PromiseRejectedResult).reason}`);
      }
    }
    for (const device of ledger.devices.values()) await this.#check(device);
    await rest(() => places.map(({ instances }) => instances[0]!.client.logout()));
    for (const { name, texts } of places) assert.deepEqual([...texts], [], `something is left in the storage of the ${name}`);
  }

  /** A session that is not held any more has ended at the service, because somebody asked for it. */
  async #check(device: DeviceRecord): Promise<void> {
    const isHeld = this.places.some(({ texts }) => texts.get(sessionKey)?.includes(device.id));
    // The answer to the sign-in may be lost, with the app or alone, or be told to nobody before the app was ended.
    const isKnown = device.stored || (device.delivered && device.alive());
    if (isHeld || !isKnown || this.ledger.lost(device)) return;
    for (const name of device.access) {
      const { body } = await ask(this.account, "GET", "auth/me", this.ledger.access.get(name)!.token);
      const short = device.id.slice(-6);
      assert.ok(body.code, `the sign-out of ${short} (${device.place}) has never arrived`);
      const { mayEnd } = this.ledger;
      const isOld = body.code === "password_changed" || body.code === "superseded";
      assert.ok(isOld || mayEnd.call(this.ledger, device, body.code), `${short} was ended (${body.code}), and nobody had asked for it`);
    }
  }
}

const newPassword = "correct horse battery";

type Call =
  | "me" | "login" | "loginByPassword" | "register" | "logout" | "logoutAll" | "logoutOthers" | "changePassword" | "end";
