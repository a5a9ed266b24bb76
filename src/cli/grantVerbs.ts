// The verbs on grants, the same whether a helper runs (asked over its socket, so that it takes effect and is audited
// at once) or none does (done on the file, which the next one reads).
import { randomBytes } from 'node:crypto';
import { grantEvent, type GrantChange } from '../helper/auditNotes.ts';
import { connectControl, findHelpers } from '../helper/controlSocket.ts';
import { GrantStore } from '../identity/grants.ts';
import { secretPath } from '../identity/way.ts';
import {
  controlVersion,
  type DriverContract,
  type GrantInfo,
  type HelperContract,
  type HelperRequests,
} from '../protocol/control.ts';
import type { Peer } from '../protocol/peer.ts';
import { noteInAudit } from './auditNote.ts';
import type { CommandContext } from './command.ts';

type Verbs =
  | 'grants/list'
  | 'grants/add'
  | 'grants/addWay'
  | 'grants/rotate'
  | 'grants/change'
  | 'grants/revoke'
  | 'tunnel/list';

export type GrantVerbs = {
  [M in Verbs]: (params: HelperRequests[M]['params']) => Promise<HelperRequests[M]['result']>;
};

export async function withGrants<T>(context: CommandContext, use: (grants: GrantVerbs) => Promise<T>): Promise<T> {
  const helper = await reachHelper(context);
  if (!helper) return onFile(context, use);
  try {
    return await use({
      'grants/list': (params) => helper.request('grants/list', params, context.signal),
      'grants/add': (params) => helper.request('grants/add', params, context.signal),
      'grants/addWay': (params) => helper.request('grants/addWay', params, context.signal),
      'grants/rotate': (params) => helper.request('grants/rotate', params, context.signal),
      'grants/change': (params) => helper.request('grants/change', params, context.signal),
      'grants/revoke': (params) => helper.request('grants/revoke', params, context.signal),
      'tunnel/list': (params) => helper.request('tunnel/list', params, context.signal),
    });
  } finally {
    helper.close();
  }
}

/** The first that answers; one of another version, or on its way out, is passed over: all share the file. */
async function reachHelper({
  paths,
  signal,
}: CommandContext): Promise<Peer<DriverContract, HelperContract> | undefined> {
  for (const path of await findHelpers(paths)) {
    try {
      const peer = (await connectControl<DriverContract, HelperContract>(path)).start();
      try {
        await peer.request('hello', { version: controlVersion, trusted: false, folders: [] }, signal);
        return peer;
      } catch {
        peer.close();
      }
    } catch {
      // It ended between the look and the call.
    }
  }
  return undefined;
}

async function onFile<T>(context: CommandContext, use: (grants: GrantVerbs) => Promise<T>): Promise<T> {
  const { files, paths, clock } = context;
  const noted = async <R extends { grant: GrantInfo }>(event: GrantChange, result: R): Promise<R> => {
    await noteInAudit(context, grantEvent(event, result.grant));
    return result;
  };
  const store = new GrantStore({ files, path: paths.grants, clock, randomBytes });
  try {
    await store.load();
    return await use({
      'grants/list': async () => ({ grants: store.list() }),
      'grants/add': async (params) => noted('added', await store.add(params)),
      'grants/addWay': async ({ way, ...wanted }) => {
        const { grant, secret } = await store.addWay(wanted, way);
        return noted('added', { grant, ...(secret === undefined ? {} : { path: secretPath(secret) }) });
      },
      'grants/rotate': async ({ id, overlapMs }) => noted('rotated', await store.rotate(id, overlapMs)),
      'grants/change': async ({ id, ...wanted }) => noted('changed', { grant: await store.change(id, wanted) }),
      'grants/revoke': async ({ id }) => noted('revoked', { grant: await store.revoke(id) }),
      'tunnel/list': async () => ({ tunnels: [] }),
    });
  } finally {
    store.close();
  }
}
