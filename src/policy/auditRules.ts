// How the audit log is to be kept, from all policy files: the strictest durability of any, and the values of arguments
// only where the machine's own files ask for them and no file forbids it.
import type { PolicyLayer } from './mergedPolicy.ts';

export type AuditRules = {
  /** `always`: no call goes on before the disk has its record. */
  sync: 'always' | 'interval';
  /** Whether the values of arguments are recorded beside their digest, known secrets taken out. */
  values: boolean;
};

export function auditRules(layers: readonly PolicyLayer[]): AuditRules {
  const said = layers.flatMap((layer) =>
    layer.kind === 'rules' && layer.policy.audit ? [{ origin: layer.origin, ...layer.policy.audit }] : [],
  );
  return {
    sync: said.some(({ sync }) => sync === 'always') ? 'always' : 'interval',
    values:
      said.some(({ origin, values }) => values === true && origin !== 'workspace') &&
      said.every(({ values }) => values !== false),
  };
}
