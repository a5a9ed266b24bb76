// Where a tunnel goes out to: a pick among what the policy knows. What is not on the allowlist is shown with a lock,
// refuses with the entry that is missing, and can be allowed in place unless an administrator's file forbids it.
import { env, window, workspace, type QuickPickItem } from 'vscode';
import { formatHostPort, parseHostPort } from '../core/hostname.ts';
import type { Destination, DestinationChoice } from '../protocol/control.ts';
import { enrolCommand } from './advice.ts';
import type { App } from './app.ts';
import { settingIds } from './commandIds.ts';
import { askWarning, showError, showInfo, showWarning } from './messages.ts';
import { openFileAt, whenPressed } from './notify.ts';
import { sameDestination } from './rememberedTunnels.ts';
import { t } from './vscodeTranslate.ts';
import { destinationLabel } from './wording.ts';

type Item = QuickPickItem & { choice?: DestinationChoice };

/** A destination that is allowed and ready, or `undefined` when the person left or was refused. */
export async function pickDestination(app: App, serverName: string): Promise<Destination | undefined> {
  const choice = await choose(app, t('Expose {0}: to whom?', serverName));
  if (!choice) return undefined;
  if (choice.denied && !(await refuse(app, choice, choice.denied))) return undefined;
  if (choice.destination.carrier === 'edge' && choice.enrolled === false) {
    explainEnrolment(choice.destination.host);
    return undefined;
  }
  return choice.destination;
}

/** The command: allows a destination without opening a tunnel. */
export async function allowDestination(app: App): Promise<void> {
  const choice = await choose(app, t('Allow Destination'));
  if (!choice) return;
  const label = destinationLabel(choice.destination, t);
  if (!choice.denied) return void showInfo(t('{0} is on the allowlist already.', label));
  if (!choice.denied.mayAllow) return explainManaged(choice, choice.denied);
  if (await confirmAndAllow(app, choice, choice.denied)) {
    void showInfo(t('{0} is on the allowlist now.', label));
  }
}

async function choose(app: App, title: string): Promise<DestinationChoice | undefined> {
  const { choices } = await app.helper.request('destinations/list', { edges: configuredEdges() });
  const another: Item = {
    label: `$(add) ${t('Another edge…')}`,
    detail: t('An edge that you or a colleague hosts'),
    alwaysShow: true,
  };
  const placeHolder = t('Where may agents come from?');
  const options = { title, placeHolder, ignoreFocusOut: true };
  const picked = await window.showQuickPick<Item>([...choices.map(itemOf), another], options);
  return picked?.choice ?? (picked === another ? await askForEdge(app) : undefined);
}

function itemOf(choice: DestinationChoice): Item {
  const { destination, denied, enrolled } = choice;
  const label = destinationLabel(destination, t);
  if (denied) {
    return { label: `$(lock) ${label}`, description: t('not on the allowlist'), detail: denied.reason, choice };
  }
  if (destination.carrier === 'embedded') {
    return { label: `$(vm) ${label}`, detail: t('Agents on this machine; nothing leaves it'), choice };
  }
  if (enrolled === false) {
    return {
      label: `$(key) ${label}`,
      description: t('not enrolled'),
      detail: t('This machine needs a certificate of the edge first'),
      choice,
    };
  }
  return {
    label: `$(globe) ${label}`,
    detail: t('Agents anywhere that hold a token; the edge cannot read what they send'),
    choice,
  };
}

/** Edges named in the user's settings; the workspace has no say in them. */
function configuredEdges(): string[] {
  const set = workspace.getConfiguration(settingIds.section).get<unknown>(settingIds.edges);
  return Array.isArray(set) ? set.filter((edge): edge is string => typeof edge === 'string' && !edgeProblem(edge)) : [];
}

async function askForEdge(app: App): Promise<DestinationChoice | undefined> {
  const text = await window.showInputBox({
    title: t('Another edge'),
    prompt: t('Name of the edge, with a port when it is not 443'),
    placeHolder: 'edge.example.com',
    ignoreFocusOut: true,
    validateInput: edgeProblem,
  });
  if (!text) return undefined;
  const destination: Destination = { carrier: 'edge', host: formatHostPort(parseHostPort(text.trim(), 443)) };
  const { choices } = await app.helper.request('destinations/list', { edges: [destination.host] });
  return choices.find((choice) => sameDestination(choice.destination, destination));
}

function edgeProblem(text: string): string | undefined {
  try {
    parseHostPort(text.trim(), 443);
    return undefined;
  } catch {
    return t('Write a name like edge.example.com or edge.example.com:8443');
  }
}

type Denied = NonNullable<DestinationChoice['denied']>;

/** True when it was allowed after all. */
async function refuse(app: App, choice: DestinationChoice, denied: Denied): Promise<boolean> {
  if (!denied.mayAllow) {
    explainManaged(choice, denied);
    return false;
  }
  const allow = t('Allow This Destination…');
  const lacks = t(
    '{0} is not on the allowlist: {1} lacks {2}.',
    destinationLabel(choice.destination, t),
    denied.file,
    denied.entry,
  );
  if ((await showError(lacks, allow)) !== allow) return false;
  return confirmAndAllow(app, choice, denied);
}

async function confirmAndAllow(app: App, { destination }: DestinationChoice, denied: Denied): Promise<boolean> {
  const allow = t('Allow');
  const question = t('Allow tunnels to {0}?', destinationLabel(destination, t));
  const detail = t(
    'This adds {0} to {1}. Servers that you expose can then be reached through it by agents that hold a token.',
    denied.entry,
    denied.file,
  );
  if ((await askWarning(question, detail, allow)) !== allow) return false;
  await app.helper.request('policy/allow', { destination });
  return true;
}

function explainManaged({ destination }: DestinationChoice, denied: Denied): void {
  const open = t('Open File');
  const text = t(
    '{0} is not on the allowlist: {1} lacks {2}. That file is managed: ask whoever administers this machine.',
    destinationLabel(destination, t),
    denied.file,
    denied.entry,
  );
  whenPressed(showError(text, open), () => openFileAt(denied.file));
}

function explainEnrolment(host: string): void {
  const copy = t('Copy Command');
  const command = enrolCommand(host);
  const text = t(
    'This machine is not enrolled at {0}. Ask whoever hosts it for its pin and a token, save the token in token.txt, and run: {1}',
    host,
    command,
  );
  whenPressed(showWarning(text, copy), () => env.clipboard.writeText(command));
}
