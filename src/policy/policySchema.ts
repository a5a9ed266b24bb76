// What a policy file may say. Unknown keys are refused, and so is a rule that this version cannot enforce: a rule that
// is silently ignored is worse than none.
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { compileRules } from './argumentRules.ts';
import { argumentSchema, countSchemas, maxSchemas } from './argumentSchema.ts';
import { parseHostPattern } from './hostPattern.ts';

/** Entries of one list, and agents with rules of their own, in one file. */
export const maxEntries = 1_000;

/** Characters of one entry. */
export const maxPatternLength = 512;

// oxlint-disable-next-line no-control-regex
const PRINTABLE = /^[^\x00-\x1f\x7f]+$/;

const CARRIERS = ['embedded', 'edge', 'external', 'cloudflared', 'ssh', 'openai', 'devtunnel', 'ngrok'] as const;

export const patternSchema = z.string().min(1).max(maxPatternLength).regex(PRINTABLE, 'no control characters');
const patterns = z.array(patternSchema).max(maxEntries);
const host = patternSchema.refine((text) => parseHostPattern(text) !== undefined, 'not a host or host:port');

const destination = z
  .strictObject({
    carrier: z.enum(CARRIERS).optional().describe('How agents get here.'),
    service: z.enum(['acme', 'jwks', 'client-metadata', 'vendor', 'proxy', 'doctor']).optional(),
    host: host.optional().describe('host or host:port (443 when absent); * is one label, ** one or more.'),
    pin: z
      .string()
      .regex(/^sha256\/[A-Za-z0-9+/]{43}=$/, 'not a pin (sha256/ and 44 characters of base64)')
      .optional()
      .describe('The key that must be at the other end.'),
    publicName: host.optional().describe('The public hostname that the carrier reports.'),
  })
  .superRefine((entry, context) => {
    const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
    const { carrier, service } = entry;
    if ((carrier === undefined) === (service === undefined)) return refuse([], 'needs either carrier or service');
    if (carrier === 'embedded') {
      for (const key of ['host', 'pin', 'publicName'] as const) {
        if (entry[key] !== undefined) refuse([key], 'the embedded edge is on this machine and has no such thing');
      }
    }
    if ((carrier === 'edge' || service !== undefined) && entry.host === undefined) refuse(['host'], 'is needed');
    if (entry.pin !== undefined && carrier !== 'edge') refuse(['pin'], 'only an edge can be pinned');
    if (entry.publicName !== undefined && (service !== undefined || carrier === 'edge')) {
      refuse(['publicName'], 'only a carrier of somebody else reports a public name');
    }
  });

const upstream = z
  .strictObject({
    http: host.optional().describe('host:port of a server’s URL; * is any port.'),
    stdio: patternSchema.optional().describe('Command line, its parts joined by spaces; * is any text.'),
  })
  .superRefine((entry, context) => {
    if ((entry.http === undefined) === (entry.stdio === undefined)) {
      context.addIssue({ code: 'custom', message: 'needs either http or stdio' });
    } else if (entry.http !== undefined && parseHostPattern(entry.http)?.port === undefined) {
      context.addIssue({ code: 'custom', path: ['http'], message: 'needs a port, or :* for any' });
    }
  });

const agentRule = z.strictObject({
  methods: patterns.optional().describe('Absent: the methods that the lists below need.'),
  tools: patterns.optional(),
  prompts: patterns.optional(),
  resources: patterns.optional(),
  deny: patterns.optional().describe('Tools, prompts, resources and methods that are refused whatever else is said.'),
  readOnly: z.boolean().optional().describe('Only tools that declare themselves read-only.'),
  ask: patterns.optional().describe('Tools whose calls wait until a person agrees; refused where nobody can be asked.'),
  arguments: z
    .record(patternSchema, argumentSchema)
    .optional()
    .describe('What the arguments of tools must be, as JSON Schema (2020-12).'),
});

/** A key of `agents`. */
export const agentNameSchema = z
  .string()
  .min(1)
  .max(64)
  .regex(PRINTABLE, 'no control characters')
  .refine((name) => name === '*' || !name.includes('*'), 'names one grant, or * for all');

export const policyFileSchema = z.strictObject({
  $schema: z.string().optional(),
  version: z.literal(1),
  destinations: z.array(destination).max(maxEntries).optional(),
  upstreams: z.array(upstream).max(maxEntries).optional(),
  agents: z
    .record(agentNameSchema, agentRule)
    .refine((agents) => Object.keys(agents).length <= maxEntries, `at most ${maxEntries} agents`)
    .superRefine(compileAll)
    .optional(),
  audit: z
    .strictObject({
      sync: z.enum(['interval', 'always']).optional().describe('always: a call waits until the disk has its record.'),
      values: z.boolean().optional().describe('Record the values of arguments, not only their digest.'),
    })
    .optional(),
  limits: z
    .strictObject({
      requestsPerMinute: z.int().min(1).max(1_000_000).optional(),
      maxBodyBytes: z
        .int()
        .min(1)
        .max(64 * 1024 * 1024)
        .optional(),
      maxConcurrent: z.int().min(1).max(10_000).optional(),
      bytesPerMinute: z
        .int()
        .min(1024)
        .max(2 ** 40)
        .optional()
        .describe('Of one agent, requests and answers together; at the limit new calls wait.'),
    })
    .optional(),
});

export type Policy = z.infer<typeof policyFileSchema>;
export type DestinationEntry = z.infer<typeof destination>;
export type AgentRule = z.infer<typeof agentRule>;

/** JSON Schema (2020-12) of a policy file, for editors. */
export function policySchema(): JsonObject {
  return z.toJSONSchema(policyFileSchema, { io: 'input' }) as JsonObject;
}

/** Once, and not before it is known how many there are. */
function compileAll(agents: { [name: string]: AgentRule }, context: z.RefinementCtx): void {
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
  if (countSchemas(Object.values(agents).map((rule) => Object.values(rule.arguments ?? {}))) > maxSchemas) {
    return refuse([], `hold more than ${maxSchemas} schemas of arguments`);
  }
  for (const [name, { arguments: rules }] of Object.entries(agents)) {
    if (!rules) continue;
    const path = [name, 'arguments'];
    compileRules(rules, (tool, problem) => refuse([...path, tool], `cannot be enforced: ${problem}`));
  }
}
