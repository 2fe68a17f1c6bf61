import { z } from 'zod'

/** Text that is JSON, parsed; what it holds is for the next schema to say. */
export const jsonText = z.string().transform((text, ctx): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    ctx.addIssue('must be JSON')
    return z.NEVER
  }
})
