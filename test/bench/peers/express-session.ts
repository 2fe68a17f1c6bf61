/**
 * express-session with connect-redis, over TCP. `/check` does not prolong the session, which saves it one command of two;
 * `/refresh` gives it a new id, which is what it has for a rotation.
 */
import { createServer } from 'node:http'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { createClient } from 'redis'
import { serve } from './serve.ts'

declare module 'express-session' {
  interface SessionData {
    user: { id: string; roles: string[] }
  }
}

serve(async ({ redisUrl }) => {
  const client = createClient({ url: redisUrl })
  await client.connect()
  const store = new RedisStore({ client, ttl: 60 * 60 * 24 * 7, disableTouch: true })
  const app = express()
  app.disable('x-powered-by')
  app.use(session({ store, secret: 'only-for-this-benchmark', resave: false, saveUninitialized: false }))

  app.post('/session/:user', (request, response) => {
    request.session.user = { id: request.params.user, roles: [] }
    response.sendStatus(204)
  })
  app.get('/check', (request, response) => {
    response.sendStatus(request.session.user ? 204 : 401)
  })
  app.post('/refresh', (request, response, next) => {
    const { user } = request.session
    request.session.regenerate((error) => {
      if (error) return next(error)
      request.session.user = user
      return response.sendStatus(user ? 204 : 401)
    })
  })
  app.post('/logout', (request, response, next) => {
    const status = request.session.user ? 204 : 401
    request.session.destroy((error) => (error ? next(error) : response.sendStatus(status)))
  })
  return createServer(app)
})
