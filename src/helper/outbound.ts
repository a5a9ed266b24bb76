// How this machine reaches the world outside: the environment says which proxy and which further authorities, and an
// editor's own proxy settings take the place of the environment's.
import type { Outbound } from '../carriers/outbound.ts';
import type { Clock } from '../core/clock.ts';
import type { EditorProxy } from '../protocol/control.ts';
import { extraAuthorities } from '../tunnel/extraAuthorities.ts';
import { NetworkWatch } from '../tunnel/networkWatch.ts';
import { proxyFor, proxyFromEnvironment, type ProxySettings } from '../tunnel/proxySettings.ts';

export type OutboundOptions = {
  env: NodeJS.ProcessEnv;
  clock: Clock;
  /** What an editor has said last, if one has. */
  editor?: () => EditorProxy | undefined;
};

export function makeOutbound({ env, clock, editor }: OutboundOptions): Outbound {
  return {
    proxyFor: (names, port) => proxyFor(names, port, settingsOf(proxyFromEnvironment(env), editor?.())),
    authorities: () => extraAuthorities(env),
    onNetworkChange: new NetworkWatch({ clock }).onChange,
  };
}

function settingsOf(environment: ProxySettings, editor: EditorProxy | undefined): ProxySettings {
  if (editor?.isOff) return { ...environment, url: undefined };
  return {
    url: editor?.url ?? environment.url,
    exceptions: editor?.noProxy ? editor.noProxy.join(',') : environment.exceptions,
    from: editor?.url === undefined ? environment.from : 'the editor’s setting http.proxy',
  };
}
