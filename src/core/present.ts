// Objects that are made for every call have all their members from the beginning, absent ones as `undefined`: they keep
// one shape for the engine, which costs a tenth of growing member by member. Readers get them without what is absent.

/** The same, with every optional member there. */
export type Whole<T> = { [Name in keyof Required<T>]: T[Name] };

/** A copy without the members that are absent. */
export function present<T extends object>(whole: Whole<T>): T {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(whole)) if (value !== undefined) result[name] = value;
  return result as T;
}
