// Letting agents in that cannot be given a token: makes the OAuth way in of each tunnel that has one, and hands what a
// developer says about pairing to the tunnel it is about. What was granted, and to whom, goes to the audit log.
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { errorInfo, TunnelError } from '../core/errors.ts';
import type { PrivateFiles } from '../core/files.ts';
import type { Grant, GrantStore } from '../identity/grants.ts';
import { OAuthDoor } from '../identity/oauth/oauthDoor.ts';
import { parseOAuthFile } from '../identity/oauth/oauthStateFile.ts';
import type { PairingClient, PairingDesk, PairingTerms } from '../identity/oauth/pairingDesk.ts';
import { mayDial, namesService } from '../policy/destinations.ts';
import { hasOwnRules } from '../policy/mergedPolicy.ts';
import type { PolicyStore } from '../policy/policyStore.ts';
import type { HelperNotifications, PairAnswer, PairingWindow } from '../protocol/control.ts';
import type { AuditNotes } from './auditNotes.ts';

/** As the policy files name the fetching of documents in which clients describe themselves. */
const service = 'client-metadata';

export type PairableTunnel = {
  readonly id: string;
  readonly server: { id: string };
  readonly entry: { instance: string };
  /** `undefined` while agents cannot ask to be let in. */
  readonly desk: PairingDesk | undefined;
  /** Whose an agent's `Authorization` is: one that pairs brings its token there. */
  readonly auth: 'tunnel' | 'upstream';
  letInBy(door: OAuthDoor): void;
};

export type PairingOptions = {
  files: PrivateFiles;
  path: string;
  clock: Clock;
  grants: GrantStore;
  policy: PolicyStore;
  notes: AuditNotes;
  tunnel: (id: string) => PairableTunnel | undefined;
  log: (message: string) => void;
};

export class Pairing {
  readonly #options: PairingOptions;
  readonly #pending = new Emitter<HelperNotifications['pair/pending']>();
  readonly #ended = new Emitter<HelperNotifications['pair/ended']>();

  constructor(options: PairingOptions) {
    this.#options = options;
  }

  readonly onPending = this.#pending.on;
  readonly onEnded = this.#ended.on;

  /** Whether agents were let in by this tunnel before: then its way in is there again. */
  async hasAgents(instance: string): Promise<boolean> {
    const { files, path } = this.#options;
    return parseOAuthFile(await files.read(path), path).some((tunnel) => tunnel.instance === instance);
  }

  /** Gives a tunnel the way in. Throws `CONFIG_INVALID` or `STATE_UNWRITABLE`. */
  async enable(tunnel: PairableTunnel): Promise<PairingDesk> {
    const { id, server, entry } = tunnel;
    const door = await this.#door(id, server.id, entry.instance);
    if (!tunnel.desk) tunnel.letInBy(door); // Two may have asked at once.
    return tunnel.desk ?? door.desk;
  }

  async #door(tunnel: string, serverId: string, instance: string): Promise<OAuthDoor> {
    const { files, path, clock, grants, policy, notes, log } = this.#options;
    const door = await OAuthDoor.open({
      files,
      path,
      instance,
      serverId,
      clock,
      grants,
      documents: () => namesService(policy.current, service),
      mayFetch(host) {
        const verdict = mayDial(policy.current, { service, host });
        return verdict.kind === 'allow' ? undefined : verdict.reason;
      },
      hasRules: (name) => hasOwnRules(policy.current, name),
      addGrant: (client, terms) => this.#addGrant(serverId, client, terms),
      endGrant: async (id) => notes.grant('revoked', await grants.revoke(id)),
      log,
    });
    const note = (event: string, client: PairingClient): void => {
      notes.pairing(event, tunnel, client).catch((error: unknown) => log(errorInfo(error).message));
    };
    door.desk.onAsked((pending) => {
      note('asked', pending);
      this.#pending.emit({ tunnel, pending });
    });
    door.desk.onEnded(({ outcome, client }) => {
      note(outcome, client);
      this.#ended.emit({ tunnel, outcome, name: client.name });
    });
    return door;
  }

  /** Throws `NOT_FOUND` for a tunnel that is not there, `CONFLICT` where nobody can pair, and as {@link enable}. */
  async open(id: string): Promise<PairingWindow> {
    const tunnel = this.#options.tunnel(id);
    if (!tunnel) throw new TunnelError('NOT_FOUND', `there is no tunnel ${id}`);
    if (tunnel.auth === 'upstream') {
      throw new TunnelError(
        'CONFLICT',
        'this tunnel leaves Authorization to its server, so agents cannot pair with it',
      );
    }
    return (tunnel.desk ?? (await this.enable(tunnel))).open();
  }

  /** These throw `NOT_FOUND` for a tunnel where nobody can ask. */
  close(tunnel: string): void {
    this.#desk(tunnel).close();
  }

  /** Throws `NOT_FOUND` when nobody waits, `CONFLICT` for a wrong number, `USAGE` for terms that nobody can be granted. */
  answer(answer: PairAnswer): void {
    const desk = this.#desk(answer.tunnel);
    if ('deny' in answer) return desk.deny();
    const { number, name, scope, expiresMs } = answer;
    if (expiresMs <= this.#options.clock.now()) throw new TunnelError('USAGE', 'a grant must end in the future');
    const asking = desk.window?.pending;
    desk.answer(number, { name: name ?? asking?.name ?? '', scope, expiresMs });
  }

  async #addGrant(serverId: string, client: PairingClient, terms: PairingTerms): Promise<Grant> {
    const { grants, notes } = this.#options;
    const { name, scope, expiresMs } = terms;
    const paired = { client: client.name, redirectHost: client.redirectHost };
    const grant = await grants.addPaired({ name, servers: [serverId], scope, expiresMs }, paired);
    await notes.grant('added', grant);
    return grant;
  }

  #desk(tunnel: string): PairingDesk {
    const desk = this.#options.tunnel(tunnel)?.desk;
    if (!desk) throw new TunnelError('NOT_FOUND', 'no agent can ask to be let in by this tunnel; open pairing first');
    return desk;
  }
}
