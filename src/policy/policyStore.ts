// The policy that holds right now. Reads its files again within a second of a change by anybody, tells who listens, and
// edits the user's file on request. A file that cannot be read denies what it governs until it is repaired.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError, type ErrorInfo } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import { withRuleEdit, type RuleEdit } from './agentRuleEdits.ts';
import { withDestination, withoutDestination } from './destinationEdits.ts';
import { mayPlan, type Dialled } from './destinations.ts';
import type { Annotations } from './finding.ts';
import { mergePolicies, type MergedPolicy, type PolicyOrigin, type PolicySource } from './mergedPolicy.ts';
import { parsePolicy } from './policyFile.ts';
import type { DestinationEntry } from './policySchema.ts';
import { demandEffect } from './ruleEffect.ts';

export type PolicyLocations = {
  managed: string;
  user: string;
  /** Of trusted folders only. */
  workspaces: readonly string[];
  /** Named on the command line: it must be there. */
  extra?: string;
};

export type PolicyStoreOptions = {
  files: PrivateFiles;
  locations: PolicyLocations;
  clock: Clock;
  /** How often the files are looked at for changes of others. */
  pollMs?: number;
};

type Place = { origin: PolicyOrigin; file: string };
type Reading = { kind: 'text'; text: string | undefined } | { kind: 'failed'; error: ErrorInfo };

export class PolicyStore {
  readonly #options: PolicyStoreOptions;
  readonly #changed = new Emitter<MergedPolicy>();
  #places: readonly Place[];
  /** Before the first load nothing is allowed. */
  #current: MergedPolicy;
  #seen = '';
  #reading: Promise<void> = Promise.resolve();
  #timer: TimerHandle | undefined;
  #closed = false;

  constructor(options: PolicyStoreOptions) {
    this.#options = options;
    this.#places = placesOf(options.locations);
    const error = errorInfo(new TunnelError('POLICY_INVALID', 'the policy has not been read yet'));
    this.#current = mergePolicies([{ origin: 'user', file: options.locations.user, kind: 'broken', error }]);
  }

  get current(): MergedPolicy {
    return this.#current;
  }

  /** Called after the policy has become another one. */
  readonly onChange = this.#changed.on;

  /** Never throws for a bad file: what it governs is denied, and `current.problems` says why. */
  async load(): Promise<void> {
    await this.#refresh();
    this.#poll();
  }

  /** A folder was trusted, or is no longer: its file begins or ceases to restrict. */
  async replaceWorkspaces(workspaces: readonly string[]): Promise<void> {
    this.#places = placesOf({ ...this.#options.locations, workspaces });
    await this.#refresh();
  }

  /**
   * Adds an entry to the user's file (made with the defaults spelled out where there is none), and returns that file.
   * Throws `DESTINATION_DENIED` when a managed file forbids it, `POLICY_INVALID`, `STATE_UNWRITABLE`.
   */
  async allowDestination(entry: DestinationEntry): Promise<string> {
    this.#refuseAgainstManaged(entry);
    return this.#edit((old, file) => withDestination(old, entry, file));
  }

  /** Throws `NOT_FOUND`, `POLICY_INVALID`, `STATE_UNWRITABLE`. */
  async removeDestination(entry: DestinationEntry): Promise<string> {
    return this.#edit((old, file) => withoutDestination(old, entry, file));
  }

  /**
   * Says something else of an agent in the user's file, and returns that file. Throws `CONFLICT` naming the rule, with
   * nothing written, where a pattern or another file would still refuse what was asked for; `USAGE`, `POLICY_INVALID`,
   * `STATE_UNWRITABLE`.
   */
  async editRule(edit: RuleEdit, annotations: Annotations): Promise<string> {
    return this.#edit((old, file) => {
      const text = withRuleEdit(old, edit, file);
      demandEffect(this.#with(file, text), edit, annotations);
      return text;
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #refuseAgainstManaged(entry: DestinationEntry): void {
    const managed = this.#current.layers.filter((layer) => layer.origin === 'managed');
    const verdict = mayPlan({ ...this.#current, layers: managed }, asDialled(entry));
    if (verdict.kind === 'allow') return;
    const { reason, file, entry: missing } = verdict;
    throw new TunnelError('DESTINATION_DENIED', reason, { data: { file, entry: missing, mayAllow: false } });
  }

  /** The policy as it would be if the user's file were `text`. */
  #with(file: string, text: string): MergedPolicy {
    const changed = mergePolicies([{ origin: 'user', file, kind: 'read', policy: parsePolicy(text, file) }]);
    const others = this.#current.layers.filter(({ origin }) => origin !== 'user');
    return { ...this.#current, layers: [...others, ...changed.layers] };
  }

  async #edit(change: (old: string | undefined, file: string) => string): Promise<string> {
    const { files, locations } = this.#options;
    await files.update(locations.user, (old) => change(old, locations.user));
    await this.#refresh();
    return locations.user;
  }

  /** One after the other, so that what is read later also counts later. */
  #refresh(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readAll());
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const places = this.#places;
    const readings = await Promise.all(places.map(({ file }) => this.#read(file)));
    const seen = JSON.stringify([places, readings]);
    if (seen === this.#seen || this.#closed) return;
    this.#seen = seen;
    this.#current = mergePolicies(places.map((place, index) => sourceOf(place, readings[index]!)));
    this.#changed.emit(this.#current);
  }

  async #read(file: string): Promise<Reading> {
    try {
      return { kind: 'text', text: await this.#options.files.read(file) };
    } catch (error) {
      return { kind: 'failed', error: errorInfo(error) };
    }
  }

  #poll(): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#options.pollMs ?? 500, () => {
      void this.#refresh().then(() => this.#poll());
    });
  }
}

function placesOf({ managed, user, workspaces, extra }: PolicyLocations): readonly Place[] {
  return [
    { origin: 'managed', file: managed },
    ...workspaces.map((file): Place => ({ origin: 'workspace', file })),
    ...(extra === undefined ? [] : [{ origin: 'extra', file: extra } as const]),
    { origin: 'user', file: user },
  ];
}

function sourceOf({ origin, file }: Place, reading: Reading): PolicySource {
  if (reading.kind === 'failed') return { origin, file, kind: 'broken', error: reading.error };
  if (reading.text === undefined) {
    if (origin !== 'extra') return { origin, file, kind: 'missing' };
    const error = new TunnelError('POLICY_INVALID', `there is no policy file ${file}`, { data: { file } });
    return { origin, file, kind: 'broken', error: errorInfo(error) };
  }
  try {
    return { origin, file, kind: 'read', policy: parsePolicy(reading.text, file) };
  } catch (error) {
    return { origin, file, kind: 'broken', error: errorInfo(error) };
  }
}

function asDialled({ carrier, service, host, pin, publicName }: DestinationEntry): Dialled {
  if (service !== undefined) return { service, host: host ?? '' };
  return {
    carrier: carrier ?? '',
    ...(host === undefined ? {} : { host }),
    ...(pin === undefined ? {} : { pin }),
    ...(publicName === undefined ? {} : { publicName }),
  };
}
