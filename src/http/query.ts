import { z } from 'zod'
import { failed, ok, type Failure, type Result } from '../failure.ts'
import { describeProblem } from './body.ts'
import type { RequestContext } from './context.ts'

/** Reads the query against its schema. The refusal names the parameters that are wrong, never their values. */
export function readQuery<T>(c: RequestContext, schema: z.ZodType<T>): Result<T, Failure> {
  const parsed = schema.safeParse(c.req.query())
  return parsed.success
    ? ok(parsed.data)
    : failed({ reason: 'bad_request', detail: describeProblem(parsed.error, 'query') })
}

/** How many entries a page may have at most: 1 to 200. */
export const pageLimit = z.string().regex(/^([1-9]\d?|1\d\d|200)$/)

/** What {@link pageLimit} says, or what pages have when nobody says. */
export function limitOf(asked: string | undefined): number {
  return Number(asked ?? 50)
}
