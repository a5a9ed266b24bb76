// The command "Verify Audit Log": the helper reads every log and compares it with the heads that this editor kept. One
// notification says how it went; the log channel has every verdict. And the warning when a log steps back by itself.
import { ProgressLocation } from 'vscode';
import type { AuditVerdict } from '../protocol/control.ts';
import type { App } from './app.ts';
import type { Setback } from './auditHeads.ts';
import { askWarning, showError, showInfo, showWarning, withProgress } from './messages.ts';
import { whenPressed } from './notify.ts';
import { t } from './vscodeTranslate.ts';

let underWay: Promise<void> | undefined;

/** Asked for twice, it is done once. */
export function verifyAudit(app: App): Promise<void> {
  underWay ??= verify(app).finally(() => (underWay = undefined));
  return underWay;
}

async function verify(app: App): Promise<void> {
  const heads = await app.auditHeads.all();
  const options = { location: ProgressLocation.Window, title: t('Verifying the audit log') };
  const { chains } = await withProgress(options, () => app.helper.request('audit/verify', { heads }));
  for (const { chain, records, problem } of chains) {
    app.log.info(`audit log ${chain}: ${problem ?? `intact, ${records} records`}`);
  }
  tell(app, chains, new Set(heads.map(({ chain }) => chain)));
}

function tell(app: App, chains: readonly AuditVerdict[], kept: ReadonlySet<string>): void {
  const broken = chains.filter(({ problem }) => problem !== undefined);
  if (broken.length > 0) return tellBroken(app, broken, kept);
  if (chains.length === 0) return void showInfo(t('There is no audit log yet: nothing was exposed on this machine.'));
  const records = chains.reduce((sum, chain) => sum + chain.records, 0);
  const sound =
    chains.length === 1
      ? t('The audit log is intact: {0} records.', records)
      : t('The audit log is intact: {0} records in {1} chains.', records, chains.length);
  const compared = chains.filter(({ chain }) => kept.has(chain)).length;
  const limits =
    compared === chains.length
      ? t('The newest head that this editor kept is in it, so nothing was cut from its end.')
      : t('This editor kept heads of {0} of them: of the others a cut end could not be seen.', compared);
  // With a button VS Code shows the message in full.
  whenPressed(showInfo(`${sound} ${limits}`, t('Show Log')), () => Promise.resolve(app.log.show(true)));
}

function tellBroken(app: App, broken: readonly AuditVerdict[], kept: ReadonlySet<string>): void {
  const [first] = broken;
  const [showLog, startOver] = [t('Show Log'), t('Forget Kept Heads…')];
  const what = t('The audit log is not what was written: {0}', first?.problem ?? '');
  const more = broken.length > 1 ? ` ${t('{0} more logs are broken.', broken.length - 1)}` : '';
  const forgettable = broken.map(({ chain }) => chain).filter((chain) => kept.has(chain));
  const buttons = forgettable.length > 0 ? [showLog, startOver] : [showLog];
  whenPressed(showError(`${what}${more}`, ...buttons), (pressed) =>
    pressed === startOver ? forget(app, forgettable) : Promise.resolve(app.log.show(true)),
  );
}

/** For logs that were removed or restored on purpose: without this they would be missed for ever. */
async function forget(app: App, chains: readonly string[]): Promise<void> {
  const agree = t('Forget');
  const question = t('Forget the heads that this editor kept of the broken audit logs?');
  const detail = t(
    'Do this only if you removed or restored these logs yourself. From then on nobody can tell what was cut: {0}',
    chains.join(', '),
  );
  if ((await askWarning(question, detail, agree)) === agree) await app.auditHeads.forget(chains);
}

/** A head that came from the helper has fewer records than the one that was kept, or others. */
export function tellSetback(app: App, { kept, came }: Setback): void {
  const facts = `${came.chain}: kept ${kept.count} (${kept.hash}), now ${came.count} (${came.hash})`;
  app.log.error(`the audit log stepped back, ${facts}${kept.key === came.key ? '' : ', and is signed by another key'}`);
  const verifyNow = t('Verify Audit Log');
  const text =
    kept.key === came.key
      ? t(
          'Records of the audit log are missing or were written anew: {0} were known, it has {1} now.',
          kept.count,
          came.count,
        )
      : t('The audit log is signed by another key than before.');
  whenPressed(showWarning(text, verifyNow), () => verifyAudit(app));
}
