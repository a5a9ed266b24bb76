// Tools as servers list them; a test changes what it is about.
import type { JsonObject } from '../../../../src/core/json.ts';
import { listed, type Listed } from '../../../../src/mcp/preview/offer.ts';

export const noArguments: JsonObject = { type: 'object', properties: {} };

export function tool(changes: JsonObject = {}): Listed {
  return listed({ name: 'get_forecast', description: 'Tells the weather.', inputSchema: noArguments, ...changes })!;
}

/** A tool whose argument `value` has this schema. */
export const taking = (schema: JsonObject): Listed =>
  tool({ inputSchema: { type: 'object', properties: { value: schema } } });
