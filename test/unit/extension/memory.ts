// A workspace's memory and a secret storage, kept in maps.
import type { Memory } from '../../../src/extension/rememberedTunnels.ts';
import type { Secrets } from '../../../src/extension/tokens.ts';

export function memory(): Memory & { values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  return {
    values,
    get: (key) => values.get(key),
    update: async (key, value) => void values.set(key, value),
  };
}

export function secretStorage(): Secrets & { values: Map<string, string> } {
  const values = new Map<string, string>();
  return {
    values,
    get: async (key) => values.get(key),
    store: async (key, value) => void values.set(key, value),
    delete: async (key) => void values.delete(key),
  };
}
