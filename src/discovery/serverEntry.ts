// One server as its client wrote it down: a command with its surroundings, or a URL with its headers. What is wrong is
// refused with its place; what is right but cannot be exposed is listed with the reason.
import type { ServerEntry } from './configText.ts';
import type { Fields } from './fields.ts';
import { commonNames, transportNames, type FieldNames, type ServerDialect } from './serverDialect.ts';

type Refuse = (message: string) => undefined;

export function readEntry(
  fields: Fields,
  name: string,
  line: number,
  dialect: ServerDialect,
  refuse: Refuse,
): ServerEntry | undefined {
  const names = { ...commonNames, ...dialect.names };
  const problems: string[] = [];
  if (fields.boolean('disabled') === true || fields.boolean('enabled') === false) {
    problems.push('it is disabled in this file');
  }
  if (fields.has('headersHelper'))
    problems.push('it takes its headers from a command (headersHelper), which is not run');

  const urlField = names.urls.find((field) => fields.has(field));
  const transport = transportOf(fields, names, urlField, dialect, refuse);
  if (transport === undefined) return undefined;
  if (transport === 'stdio') {
    const command = commandOf(fields, names, dialect);
    if (!command) return refuse(`${fields.path} has no command`);
    return { name, line, definition: { kind: 'stdio', ...command }, problems };
  }
  const url = urlField === undefined ? undefined : fields.text(urlField);
  if (!url) return refuse(`${fields.path} has neither a ${names.command} nor a ${names.urls[0]}`);
  if (transport === 'ws') problems.push('its transport (ws) is not supported; MCP Tunnel speaks http, sse and stdio');
  const headers = fields
    .recordAt(names.headers, false)
    .map(([header, value]): [string, string] => [header, value ?? '']);
  const fromEnv = envHeadersOf(fields, names);
  const definition = { kind: 'http' as const, url, headers, ...(fromEnv.length > 0 ? { envHeaders: fromEnv } : {}) };
  return { name, line, definition, problems };
}

function transportOf(
  fields: Fields,
  names: FieldNames,
  urlField: string | undefined,
  dialect: ServerDialect,
  refuse: Refuse,
): 'stdio' | 'http' | 'sse' | 'ws' | undefined {
  const type = fields.text(dialect.typeField ?? 'type');
  const hasCommand = fields.has(names.command);
  if (type === undefined) {
    if (hasCommand && urlField !== undefined) {
      return refuse(`${fields.path} has both a ${names.command} and a ${urlField}; say which with “type”`);
    }
    return hasCommand ? 'stdio' : (dialect.untypedUrl ?? 'http');
  }
  const transport = Object.hasOwn(transportNames, type) ? transportNames[type] : undefined;
  return transport ?? refuse(`${fields.path}.type “${type.slice(0, 40)}” is not known; it is stdio or http`);
}

type Command = Omit<Extract<ServerEntry['definition'], { kind: 'stdio' }>, 'kind'>;

function commandOf(fields: Fields, names: FieldNames, { command: form, looseEnv }: ServerDialect): Command | undefined {
  const rest = { envFile: fields.text('envFile'), cwd: fields.text('cwd') };
  const env = fields.record(names.env, looseEnv ?? false);
  if (form === 'list') {
    const [command, ...args] = fields.texts(names.command);
    return command ? { command, args, env, ...rest } : undefined;
  }
  const inner = form === 'text-or-object' ? fields.object(names.command) : undefined;
  if (inner) {
    const command = inner.text('path');
    return command ? { command, args: inner.texts('args'), env: inner.record('env', true), ...rest } : undefined;
  }
  const command = fields.text(names.command);
  return command ? { command, args: fields.texts('args'), env, ...rest } : undefined;
}

/** Headers whose values the client takes from its environment. */
function envHeadersOf(fields: Fields, names: FieldNames): { header: string; prefix: string; variable: string }[] {
  const bearer = names.bearerTokenEnv === '' ? undefined : fields.text(names.bearerTokenEnv);
  const others = names.envHeaders === '' ? [] : fields.record(names.envHeaders, false);
  return [
    ...(bearer === undefined ? [] : [{ header: 'Authorization', prefix: 'Bearer ', variable: bearer }]),
    ...others.map(([header, variable]) => ({ header, prefix: '', variable: variable ?? '' })),
  ];
}
