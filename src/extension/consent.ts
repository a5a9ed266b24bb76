// Nothing of a workspace is run before a person read what it is. The agreement is bound to the hash of the launch plan;
// a plan that changed is asked about again, and the difference is shown.
import { commands, Uri, workspace, type Disposable } from 'vscode';
import type { DiscoveredServer, LaunchPlan } from '../core/server.ts';
import type { App } from './app.ts';
import { planChanges, planDocument, planLines, visible } from './launchText.ts';
import { askWarning, showWarning } from './messages.ts';
import { t } from './vscodeTranslate.ts';

const scheme = 'mcp-tunnel-plan';

/** What it is run for: a preview lets nobody else reach it. */
export type Purpose = 'expose' | 'preview';

export type Question = { plan: LaunchPlan; previous?: LaunchPlan; purpose?: Purpose };

/** `agreed` when that was done earlier, the hash of what was agreed to now, or `undefined` when the person left. */
export async function agreeToRun(
  app: App,
  server: DiscoveredServer,
  purpose: Purpose = 'expose',
): Promise<'agreed' | { hash: string } | undefined> {
  const { plan, agreed, previous } = await app.helper.request('servers/plan', {
    id: server.id,
    folders: app.folders(),
  });
  if (agreed) return 'agreed';
  return (await askToRun({ plan, purpose, ...(previous ? { previous } : {}) })) ? { hash: plan.hash } : undefined;
}

export async function askToRun({ plan, previous, purpose = 'expose' }: Question): Promise<boolean> {
  const { run, leave, first, changed } = questionWords(visible(plan.server), plan.url === undefined, purpose);
  const difference = t('Show Difference');
  const lines = planLines(plan, t).map((line) => `${line.name}: ${line.value}`);
  if (!previous) {
    const detail = [
      ...lines,
      '',
      ...(purpose === 'preview'
        ? [t('It is ended again when it has listed what it offers; no agent can reach it.')]
        : []),
      t('Its definition comes from this workspace. Agree only if you know what it does.'),
    ].join('\n');
    return (await askWarning(first, detail, run)) === run;
  }
  const detail = [t('Changed:'), ...planChanges(previous, plan, t), '', t('Now:'), ...lines].join('\n');
  const picked = await askWarning(changed, detail, run, difference);
  if (picked !== difference) return picked === run;
  await showDifference(previous, plan);
  // Not modal: the difference must stay readable behind the question.
  return (await showWarning(changed, run, leave)) === run;
}

type QuestionWords = { run: string; leave: string; first: string; changed: string };

/** `isRun`: a command, not an address. */
function questionWords(name: string, isRun: boolean, purpose: Purpose): QuestionWords {
  if (purpose === 'preview') {
    return {
      run: isRun ? t('Run and Show Tools') : t('Show Tools'),
      leave: t('Do Not Run'),
      first: isRun ? t('Run “{0}” on this machine to see its tools?', name) : t('Ask “{0}” for its tools?', name),
      changed: t('“{0}” is not what you agreed to before. Look at it as it is now?', name),
    };
  }
  return {
    run: isRun ? t('Run and Expose') : t('Expose'),
    leave: t('Do Not Expose'),
    first: isRun ? t('Run “{0}” on this machine and expose it?', name) : t('Expose “{0}”?', name),
    changed: t('“{0}” is not what you agreed to before. Expose it as it is now?', name),
  };
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
