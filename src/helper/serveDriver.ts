// Answers one driver: each method of the control contract is a row here, and the newest state of the tunnels goes
// out whenever it changes.
import type { Clock } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { Closable } from '../core/lifetime.ts';
import { Lifetime } from '../core/lifetime.ts';
import { watchServers } from '../discovery/watchServers.ts';
import {
  controlVersion,
  type AuditHead,
  type DriverContract,
  type HelperContract,
  type HelperRequests,
} from '../protocol/control.ts';
import type { Peer } from '../protocol/peer.ts';
import { destinationChoices } from './destinationChoices.ts';
import type { Helper } from './helper.ts';
import { Hints } from './hints.ts';
import { serveTraffic } from './serveTraffic.ts';

/** Tunnel rows (calls per minute, last exchange) are sent at most this often; changes of state at once. */
export const tunnelsIntervalMs = 1_000;

/** The head of the audit log is sent at most this often: a driver writes it to a place that is slow. */
export const auditHeadIntervalMs = 5_000;

export type Driver = Peer<HelperContract, DriverContract>;

/**
 * `start` gives the helper for what `hello` says; the same one for every further driver.
 * Everything else waits for `hello`.
 */
export function serveDriver(
  peer: Driver,
  start: (hello: HelperRequests['hello']['params']) => Promise<Helper>,
  options: { clock: Clock; product: string; home: string },
): Closable {
  const lifetime = new Lifetime();
  let helper: Helper | undefined;
  const ready = (): Helper => {
    if (!helper) throw new TunnelError('USAGE', 'say hello first');
    return helper;
  };

  peer.handle('hello', async (hello) => {
    if (hello.version !== controlVersion) {
      throw new TunnelError(
        'USAGE',
        `this helper speaks version ${controlVersion} of the control protocol; update both`,
      );
    }
    const isFirst = helper === undefined;
    helper = await start(hello);
    if (hello.proxy) helper.setProxy(hello.proxy);
    if (isFirst) subscribe(peer, helper, hello.folders, lifetime, options.clock);
    const { product, home } = options;
    return { version: controlVersion, helperId: helper.id, product, pid: process.pid, home };
  });
  peer.on('proxy/changed', (proxy) => helper?.setProxy(proxy));
  peer.on('trust/changed', ({ trusted }) => {
    void helper?.setTrusted(trusted);
  });

  peer.handle('servers/list', ({ folders }) => ready().servers.list(folders));
  peer.handle('servers/scan', ({ folders, ports }, signal) => ready().servers.scan(folders, ports ?? [], signal));
  peer.handle('servers/plan', ({ id, folders }) => ready().servers.plan(id, folders));
  peer.handle('servers/answer', ({ file, answers }) => (ready().servers.answer(file, answers), null));
  peer.handle('servers/command', async ({ id, folders, command }) => {
    await ready().servers.editCommand(id, folders, command);
    return null;
  });
  peer.handle('servers/preview', async (wanted, signal) => ({
    preview: await ready().previews.preview(wanted, signal),
  }));
  peer.handle('destinations/list', async ({ edges }) => ({ choices: await destinationChoices(ready(), edges) }));
  peer.handle('policy/allow', async ({ destination }) => ({ file: await ready().allow(destination) }));

  peer.handle('tunnel/open', (request, signal) => ready().open(request, signal));
  peer.handle('tunnel/close', async ({ tunnel }) => (await ready().close(tunnel), null));
  peer.handle('tunnel/allowFrom', async ({ tunnel, allowFrom }) => {
    await ready().tunnel(tunnel).letIn(allowFrom);
    return null;
  });
  peer.handle('server/restart', ({ tunnel }) => (ready().tunnel(tunnel).restartServer(), null));
  peer.handle('tunnel/list', () => ({ tunnels: ready().tunnels() }));

  peer.handle('grants/list', () => ({ grants: ready().grants.list() }));
  peer.handle('grants/add', ({ name, servers, scope, expiresMs }) =>
    ready().grants.add({ name, servers, scope, expiresMs }),
  );
  peer.handle('grants/addWay', ({ way, ...wanted }) => ready().grants.addWay(wanted, way));
  peer.handle('grants/rotate', ({ id, overlapMs }) => ready().grants.rotate(id, overlapMs));
  peer.handle('grants/change', async ({ id, ...wanted }) => ({ grant: await ready().grants.change(id, wanted) }));
  peer.handle('grants/revoke', async ({ id }) => ({ grant: await ready().grants.revoke(id) }));

  peer.handle('rules/tools', ({ tunnel }) => ready().rules.tools(tunnel));
  peer.handle('rules/edit', async (edit) => ({ file: await ready().rules.edit(edit) }));

  peer.handle('pair/open', ({ tunnel }) => ready().pairing.open(tunnel));
  peer.handle('pair/close', ({ tunnel }) => (ready().pairing.close(tunnel), null));
  peer.handle('pair/answer', (answer) => (ready().pairing.answer(answer), null));

  peer.handle('holds/answering', () => (ready().holds.answerBy(peer), null));
  peer.handle('holds/list', () => ready().holds.list());
  peer.handle('holds/answer', ({ id, answer }) => (ready().holds.answer(id, answer), null));
  peer.handle('holds/breakpoints', ({ breakpoints }) => (ready().holds.setBreakpoints(peer, breakpoints), null));
  lifetime.defer(() => helper?.holds.leave(peer));

  peer.handle('audit/head', () => ({ head: auditHead(ready()) }));
  peer.handle('audit/verify', async ({ heads }) => ({ chains: await ready().verifyAudit(heads) }));

  lifetime.add(serveTraffic(peer, ready, options.clock));

  peer.onClose(() => void lifetime.close());
  return lifetime;
}

function subscribe(peer: Driver, helper: Helper, folders: string[], lifetime: Lifetime, clock: Clock): void {
  const send = (): void => peer.notify('tunnels/changed', { tunnels: helper.tunnels() });
  const rows = lifetime.add(new Hints(clock, tunnelsIntervalMs, send));
  lifetime.defer(helper.onTunnels(send));
  lifetime.defer(helper.traffic.onChange(() => rows.changed()));
  lifetime.defer(helper.onGrants(() => peer.notify('grants/changed', { grants: helper.grants.list() })));
  const heads = lifetime.add(
    new Hints(clock, auditHeadIntervalMs, () => {
      const head = auditHead(helper);
      if (head) peer.notify('audit/head', { head });
    }),
  );
  lifetime.defer(helper.audit.onGrown(() => heads.changed()));
  lifetime.defer(helper.pairing.onPending((pending) => peer.notify('pair/pending', pending)));
  lifetime.defer(helper.pairing.onEnded((ended) => peer.notify('pair/ended', ended)));
  lifetime.defer(helper.holds.onChange(() => peer.notify('holds/changed', helper.holds.list())));
  lifetime.defer(helper.onLog((entry) => peer.notify('log', entry)));
  lifetime.add(watchServers(folders, () => peer.notify('servers/changed', {}), clock));
}

function auditHead({ audit }: Helper): AuditHead | null {
  const { chain, publicKey, head } = audit;
  return head ? { chain, key: publicKey, count: head.seq, hash: head.hash } : null;
}
