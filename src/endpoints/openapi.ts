import type { Hono, MiddlewareHandler } from 'hono'
import { openAPIRouteHandler } from 'hono-openapi'
import { z } from 'zod'
import { version } from '../../package.json'
import type { Env } from '../http/context.ts'
import { answerHeaders, describeSecurity, type Operation } from '../http/operation.ts'
import type { Parts } from '../parts.ts'

const description = `Sessions and tokens at the edge. Refusals outside of /oauth have a \`code\` that never changes.`

const answer = z.looseObject({ openapi: z.literal('3.1.0'), paths: z.record(z.string(), z.unknown()) })

export const openapiOperation: Operation = {
  id: 'describeInterface',
  tag: 'Discovery',
  summary: 'This document',
  success: { status: 200, description: 'OpenAPI 3.1.', content: { 'application/json': answer } },
  failures: [],
}

/** GET /openapi.json: what the routes of `app` tell of themselves, as OpenAPI 3.1. */
export function openapiEndpoint(app: Hono<Env>, { config }: Pick<Parts, 'config'>): MiddlewareHandler<Env> {
  const write = openAPIRouteHandler(app, {
    excludeStaticFile: false,
    documentation: {
      openapi: '3.1.0',
      info: { title: 'Latchkey', version, description },
      servers: [{ url: config.issuer }],
      components: { securitySchemes: describeSecurity(config.issuer), headers: answerHeaders },
    },
  })
  return async (c, next) => {
    c.header('Cache-Control', 'public, max-age=300')
    return write(c, next)
  }
}
