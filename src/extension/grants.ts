// Grants minted from this editor: what they are called and how long they last.
import { workspace } from 'vscode';
import type { OpenTunnel, TunnelInfo } from '../protocol/control.ts';
import type { App } from './app.ts';
import { settingIds } from './commandIds.ts';
import { t } from './vscodeTranslate.ts';

const hourMs = 3_600_000;
/** Bounds of the setting, here too: a settings file may hold anything. */
const hours = { min: 1, max: 24 * 365, fallback: 8 };

/** The grant for exposing a server: none when a token from earlier still works, so that agents need no new one. */
export async function grantFor(app: App, server: { id: string; name: string }): Promise<OpenTunnel['grant']> {
  const { grants } = await app.helper.request('grants/list', {});
  const known = app.tokens.usable(server.id, grants, app.clock.now());
  return known.length > 0 ? { none: true } : newGrant(app, server.name);
}

export async function mintToken(app: App, tunnel: TunnelInfo): Promise<string> {
  const { server } = tunnel;
  const { name, scope, expiresMs } = newGrant(app, server.name);
  const { grant, token } = await app.helper.request('grants/add', { name, servers: [server.id], scope, expiresMs });
  await app.tokens.keep(grant, token);
  return token;
}

function newGrant(app: App, serverName: string): { name: string; scope: object; expiresMs: number } {
  return { name: t('{0} from VS Code', serverName), scope: {}, expiresMs: app.clock.now() + expiryHours() * hourMs };
}

/** What the setting says. */
export function expiryHours(): number {
  const set = workspace.getConfiguration(settingIds.section).get<unknown>(settingIds.grantExpiresHours);
  if (typeof set !== 'number' || !Number.isFinite(set)) return hours.fallback;
  return Math.min(hours.max, Math.max(hours.min, set));
}
