// What a person in VS Code is told about a failure: what happened (the error's own message), one sentence that helps,
// and one button that does it. One row for each code; where the command line would be the wrong advice here, the
// sentence is this table's own.
import { advice as sentences } from '../core/advice.ts';
import type { ErrorCode, ErrorInfo } from '../core/errors.ts';
import { commandIds, viewIds } from './commandIds.ts';
import type { Translate } from './translate.ts';

export type AdviceButton =
  | { kind: 'command'; title: string; command: string }
  | { kind: 'openFile'; title: string; file: string; line?: number }
  | { kind: 'copy'; title: string; text: string };

export type Advice = { text: string; button: AdviceButton };

type Row = { sentence: string; button: (error: ErrorInfo, t: Translate) => AdviceButton };

/** The error as text and button, in the window's language. */
export function advise(error: ErrorInfo, t: Translate): Advice {
  const row = adviceTable[error.code] ?? adviceTable.INTERNAL; // A newer helper may know more codes.
  return { text: `${asSentence(error.message)} ${t(row.sentence)}`, button: row.button(error, t) };
}

/** Starts with a capital and ends with a stop, as a sentence before another one must. */
export function asSentence(message: string): string {
  const text = message.trim();
  const capital = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}

/** The command that enrols this machine at `host`; the pin is what whoever hosts the edge was shown when it started. */
export function enrolCommand(host: string): string {
  return `mcp-tunnel enroll ${host} --pin sha256/… --token-file token.txt`;
}

function run(command: string, title: (t: Translate) => string): Row['button'] {
  return (_error, t) => ({ kind: 'command', title: title(t), command });
}

const showLog = run(commandIds.showLog, (t) => t('Show Log'));
const expose = run(commandIds.exposeServer, (t) => t('Expose MCP Server'));
const showTunnels = run(`${viewIds.tunnels}.focus`, (t) => t('Show Tunnels'));
const restart = run(commandIds.restartHelper, (t) => t('Restart Helper'));

/** Opens the file the error names; without one, the log. */
const openFile: Row['button'] = (error, t) => {
  const { file, line } = error.data ?? {};
  if (typeof file !== 'string') return showLog(error, t);
  return { kind: 'openFile', title: t('Open File'), file, ...(typeof line === 'number' ? { line } : {}) };
};

const copyEnrolCommand: Row['button'] = (error, t) => {
  const host = error.data?.['host'];
  return { kind: 'copy', title: t('Copy Command'), text: enrolCommand(typeof host === 'string' ? host : 'EDGE') };
};

export const adviceTable: Record<ErrorCode, Row> = {
  USAGE: { sentence: sentences.USAGE, button: showLog },
  CONFIG_INVALID: { sentence: sentences.CONFIG_INVALID, button: openFile },
  POLICY_INVALID: { sentence: sentences.POLICY_INVALID, button: openFile },
  DESTINATION_DENIED: {
    sentence: 'Allow the destination if you trust it, or ask whoever manages the policy file.',
    button: run(commandIds.allowDestination, (t) => t('Allow Destination…')),
  },
  UPSTREAM_DENIED: { sentence: sentences.UPSTREAM_DENIED, button: openFile },
  CONSENT_REQUIRED: { sentence: sentences.CONSENT_REQUIRED, button: expose },
  UNTRUSTED_WORKSPACE: {
    sentence: sentences.UNTRUSTED_WORKSPACE,
    button: run('workbench.trust.manage', (t) => t('Manage Workspace Trust')),
  },
  EDGE_UNREACHABLE: { sentence: sentences.EDGE_UNREACHABLE, button: showLog },
  EDGE_IDENTITY: { sentence: sentences.EDGE_IDENTITY, button: showLog },
  ENROLMENT_REFUSED: { sentence: sentences.ENROLMENT_REFUSED, button: copyEnrolCommand },
  NOT_ENROLLED: { sentence: sentences.NOT_ENROLLED, button: copyEnrolCommand },
  CERTIFICATE_INVALID: { sentence: sentences.CERTIFICATE_INVALID, button: copyEnrolCommand },
  ROUTE_BUSY: { sentence: sentences.ROUTE_BUSY, button: showTunnels },
  ROUTE_DENIED: { sentence: sentences.ROUTE_DENIED, button: expose },
  UPSTREAM_START: { sentence: sentences.UPSTREAM_START, button: showLog },
  UPSTREAM_EXITED: { sentence: sentences.UPSTREAM_EXITED, button: showLog },
  UPSTREAM_UNREACHABLE: { sentence: sentences.UPSTREAM_UNREACHABLE, button: expose },
  UPSTREAM_PROTOCOL: { sentence: sentences.UPSTREAM_PROTOCOL, button: showLog },
  PORT_IN_USE: { sentence: sentences.PORT_IN_USE, button: expose },
  STATE_UNWRITABLE: { sentence: sentences.STATE_UNWRITABLE, button: restart },
  AUDIT_BROKEN: { sentence: sentences.AUDIT_BROKEN, button: openFile },
  NOT_FOUND: {
    sentence: 'Look again at what there is: it may have been removed or renamed.',
    button: run(commandIds.refreshServers, (t) => t('Refresh Servers')),
  },
  CONFLICT: { sentence: sentences.CONFLICT, button: showTunnels },
  LIMIT: { sentence: sentences.LIMIT, button: showTunnels },
  TIMEOUT: { sentence: sentences.TIMEOUT, button: showLog },
  CANCELLED: { sentence: sentences.CANCELLED, button: expose },
  CLOSED: { sentence: 'Start the helper again; its log says why it ended.', button: restart },
  INTERNAL: { sentence: 'This is a fault of MCP Tunnel; its log says more.', button: showLog },
};
