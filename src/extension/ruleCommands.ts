// Commands on the rows "Tools": rules of the user's policy file are edited where their effect is seen. A rule elsewhere
// that still denies is named, with a button to where it stands.
import { errorInfo } from '../core/errors.ts';
import type { RuleEdit } from '../protocol/control.ts';
import type { App } from './app.ts';
import { changeAccess } from './changeAccess.ts';
import { asSentence } from './advice.ts';
import { showWarning } from './messages.ts';
import { openFileAt, whenPressed } from './notify.ts';
import { toolOf, tunnelOf } from './targets.ts';
import type { TreeSubject } from './treeNode.ts';
import { t } from './vscodeTranslate.ts';

type ToolSubject = Extract<TreeSubject, { kind: 'tool' }>;

/** In a rule: every agent. */
const everyone = '*';

export const denyForAgent = onTool((app, subject) => setAccess(app, subject, agentOf(subject), 'denied'));
export const allowForAgent = onTool(async (app, subject) => {
  const verdict = verdictOf(app, subject);
  // No rule gives what the grant does not.
  if (verdict?.kind === 'denied' && verdict.because === 'grant') return explainGrant(app, subject);
  await setAccess(app, subject, agentOf(subject), 'allowed');
});
export const denyForAll = onTool((app, subject) => setAccess(app, subject, everyone, 'denied'));
export const allowForAll = onTool((app, subject) => setAccess(app, subject, everyone, 'allowed'));
export const readOnlyOn = onAgent((app, agent, tunnel) => edit(app, { agent, readOnly: true }, tunnel));
export const readOnlyOff = onAgent((app, agent, tunnel) => edit(app, { agent, readOnly: false }, tunnel));

export async function refreshTools(app: App, target?: unknown): Promise<void> {
  const tunnel = await tunnelOf(app, target, t('Refresh Tools'));
  if (tunnel) await app.tools.refresh(tunnel.id);
}

function onTool(act: (app: App, subject: ToolSubject) => Promise<void>): (app: App, target?: unknown) => Promise<void> {
  return async (app, target) => {
    const subject = toolOf(target);
    if (subject) await act(app, subject);
  };
}

/** On the row of one agent, or on the row "Tools", where it is about all of them. */
function onAgent(
  act: (app: App, agent: string, tunnel: string) => Promise<void>,
): (app: App, target?: unknown) => Promise<void> {
  return async (app, target) => {
    const subject = toolOf(target);
    const tunnel = subject?.tunnel ?? (await tunnelOf(app, target, t('Read-Only')));
    if (tunnel) await act(app, subject?.agent?.name ?? everyone, tunnel.id);
  };
}

function setAccess(
  app: App,
  { tunnel, tool }: ToolSubject,
  agent: string,
  access: 'allowed' | 'denied',
): Promise<void> {
  return edit(app, { agent, tool, access }, tunnel.id);
}

async function edit(app: App, change: RuleEdit, tunnel: string): Promise<void> {
  try {
    const { file } = await app.helper.request('rules/edit', change);
    app.log.info(`rule written to ${file}: ${JSON.stringify(change)}`);
  } catch (error) {
    const { code, message, data } = errorInfo(error);
    if (code !== 'CONFLICT') throw error;
    const { file, line } = data ?? {};
    const open = t('Open File');
    const at = typeof line === 'number' ? line : undefined;
    if (typeof file !== 'string') void showWarning(asSentence(message));
    else whenPressed(showWarning(asSentence(message), open), () => openFileAt(file, at));
  }
  await app.tools.refresh(tunnel);
}

function explainGrant(app: App, { agent, tool }: ToolSubject): void {
  const change = t('Change Access…');
  const text = t('The grant of {0} does not name {1}: no rule can give it more.', agent?.name ?? '', tool);
  whenPressed(showWarning(text, change), () => changeAccess(app, { grant: agent?.grant }));
}

function verdictOf(app: App, { tunnel, tool, agent }: ToolSubject) {
  const state = app.store.tools.get(tunnel.id);
  if (state?.kind !== 'loaded') return undefined;
  const column = state.rules.agents.findIndex(({ grant }) => grant === agent?.grant);
  return state.rules.tools.find(({ name }) => name === tool)?.verdicts[column];
}

const agentOf = ({ agent }: ToolSubject): string => agent?.name ?? everyone;
