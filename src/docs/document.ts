/** The document at `/openapi.json`, and as much of its shape as its page shows. */
import type { Hono } from 'hono'
import { generateSpecs } from 'hono-openapi'
import { z } from 'zod'
import { version } from '../../package.json'
import type { Config } from '../config.ts'
import type { Env } from '../http/context.ts'
import { answerHeaders, describeSecurity, operationTags } from '../http/operation.ts'

const description =
  'Sessions and tokens at the edge. Refusals have a `code` that never changes; below `/oauth` it is called `error`. Every ' +
  'answer has an `X-Request-Id`, which the log names too. After a 503 try again: nothing was given up.'

/** What the routes of `app` tell of themselves, as OpenAPI 3.1. */
export function writeDocument(app: Hono<Env>, { issuer }: Pick<Config, 'issuer'>): Promise<object> {
  return generateSpecs(app, {
    excludeStaticFile: false,
    documentation: {
      openapi: '3.1.0',
      info: { title: 'Latchkey', version, description },
      servers: [{ url: issuer }],
      tags: operationTags.map((name) => ({ name })),
      components: { securitySchemes: describeSecurity(issuer), headers: answerHeaders },
    },
  })
}

/** JSON Schema as our schemas use it. */
export interface Schema {
  readonly $ref?: string | undefined
  readonly type?: string | undefined
  readonly description?: string | undefined
  readonly pattern?: string | undefined
  readonly const?: string | number | boolean | undefined
  readonly enum?: readonly string[] | undefined
  readonly properties?: Readonly<Record<string, Schema>> | undefined
  readonly required?: readonly string[] | undefined
  readonly items?: Schema | undefined
  readonly anyOf?: readonly Schema[] | undefined
  readonly allOf?: readonly Schema[] | undefined
}

const schema: z.ZodType<Schema> = z.object({
  $ref: z.string().optional(),
  type: z.string().optional(),
  description: z.string().optional(),
  pattern: z.string().optional(),
  const: z.union([z.string(), z.number(), z.boolean()]).optional(),
  enum: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), schema).optional()
  },
  required: z.array(z.string()).optional(),
  get items() {
    return schema.optional()
  },
  get anyOf() {
    return z.array(schema).optional()
  },
  get allOf() {
    return z.array(schema).optional()
  },
})

const content = z.record(
  z.string(),
  z.object({
    schema,
    examples: z.record(z.string(), z.object({ value: z.record(z.string(), z.unknown()) })).default({}),
  }),
)

const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  description: z.string().optional(),
  tags: z.tuple([z.string()]),
  security: z.array(z.record(z.string(), z.unknown())).default([]),
  parameters: z.array(
    z.object({ in: z.string(), name: z.string(), description: z.string(), required: z.boolean(), schema }),
  ),
  requestBody: z.object({ required: z.boolean(), content }).optional(),
  responses: z.record(
    z.string(),
    z.object({
      description: z.string(),
      headers: z.record(z.string(), z.object({ description: z.string().optional() })).default({}),
      content: content.default({}),
    }),
  ),
})

export type DescribedOperation = z.infer<typeof operation>
export type Content = z.infer<typeof content>

export const documentShape = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  tags: z.array(z.object({ name: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({
    schemas: z.record(z.string(), schema),
    securitySchemes: z.record(z.string(), z.object({ description: z.string() })),
  }),
})

export type InterfaceDocument = z.infer<typeof documentShape>
