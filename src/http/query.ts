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

const PAGE_LIMIT = 200

/** How many entries a page has: 50, at most 200. */
export const pageLimit = z
  .string()
  .regex(/^\d{1,3}$/)
  .default('50')
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= PAGE_LIMIT)
