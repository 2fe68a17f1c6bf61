/** Lets work go on to its end when its client hangs up: others may wait for it. */
export type Keep = <T>(work: Promise<T>) => Promise<T>

/** For a request that goes on to its end anyway. */
export const keptAnyway: Keep = (work) => work
