// Nothing of a workspace is run before a person read what it is. The agreement is bound to the hash of the launch plan;
// a plan that changed is asked about again, and the difference is shown.
import { commands, Uri, workspace, type Disposable } from 'vscode';
import type { DiscoveredServer, LaunchPlan } from '../core/server.ts';
import type { App } from './app.ts';
import { planChanges, planDocument, planLines, visible } from './launchText.ts';
import { askWarning, showWarning } from './messages.ts';
import { t } from './vscodeTranslate.ts';

const scheme = 'mcp-tunnel-plan';

export type Question = { plan: LaunchPlan; previous?: LaunchPlan };

/** `agreed` when that was done earlier, the hash of what was agreed to now, or `undefined` when the person left. */
export async function agreeToRun(app: App, server: DiscoveredServer): Promise<'agreed' | { hash: string } | undefined> {
  const { plan, agreed, previous } = await app.helper.request('servers/plan', {
    id: server.id,
    folders: app.folders(),
  });
  if (agreed) return 'agreed';
  return (await askToRun({ plan, ...(previous ? { previous } : {}) })) ? { hash: plan.hash } : undefined;
}

export async function askToRun({ plan, previous }: Question): Promise<boolean> {
  const name = visible(plan.server);
  const run = plan.url === undefined ? t('Run and Expose') : t('Expose');
  const difference = t('Show Difference');
  const lines = planLines(plan, t).map((line) => `${line.name}: ${line.value}`);
  if (!previous) {
    const question =
      plan.url === undefined ? t('Run “{0}” on this machine and expose it?', name) : t('Expose “{0}”?', name);
    const detail = [
      ...lines,
      '',
      t('Its definition comes from this workspace. Agree only if you know what it does.'),
    ].join('\n');
    return (await askWarning(question, detail, run)) === run;
  }
  const question = t('“{0}” is not what you agreed to before. Expose it as it is now?', name);
  const detail = [t('Changed:'), ...planChanges(previous, plan, t), '', t('Now:'), ...lines].join('\n');
  const picked = await askWarning(question, detail, run, difference);
  if (picked !== difference) return picked === run;
  await showDifference(previous, plan);
  // Not modal: the difference must stay readable behind the question.
  return (await showWarning(question, run, t('Do Not Expose'))) === run;
}

async function showDifference(previous: LaunchPlan, plan: LaunchPlan): Promise<void> {
  const title = t('{0}: agreed to before ↔ now', plan.server);
  await commands.executeCommand('vscode.diff', planUri('before', previous), planUri('now', plan), title);
}

/** The text is in the query: the document needs no memory and is the same after a reload. */
function planUri(when: string, plan: LaunchPlan): Uri {
  return Uri.from({ scheme, path: `/${when}/${plan.server}`, query: planDocument(plan, t) });
}

export function registerPlanDocuments(): Disposable {
  return workspace.registerTextDocumentContentProvider(scheme, { provideTextDocumentContent: (uri) => uri.query });
}
