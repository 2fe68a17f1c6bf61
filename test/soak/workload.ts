/** What users do: sign in, refresh, call, sign out, sign in elsewhere, and fall victim to thieves. */
import { setTimeout as delay } from 'node:timers/promises'
import { createDevice, type Device, type DeviceParts } from './device.ts'
import type { Dice } from './dice.ts'

export interface WorkloadOptions extends DeviceParts {
  readonly usernames: readonly string[]
  /** Users who only refresh and check: faults may strike their records. */
  readonly quietUsernames: readonly string[]
  readonly dice: Dice
  /** Over how long the first sign-ins are spread: each costs a password hash. */
  readonly rampMs: number
}

/** Of a device's turns, the share of each action; the rest are checks. A quiet user's are refreshes and checks alone. */
const shares = { refresh: 0.32, revokeToken: 0.01, signOut: 0.012, theft: 0.012, forgery: 0.01 }
/** One user in five has a second device. */
const SECOND_DEVICE_SHARE = 0.2
/** Between two turns of a device. */
const PAUSE_MS = [400, 3200] as const
/** How long a device that was signed out stays so, and how long a second device waits before it takes over. */
const AWAY_MS = [4000, 14_000] as const
const ELSEWHERE_MS = [12_000, 40_000] as const

/** Runs until {@link DeviceParts.isRunning} says no, and until the last request has been answered. */
export async function runWorkload(options: WorkloadOptions): Promise<void> {
  const { usernames, quietUsernames, dice } = options
  const loops: Promise<void>[] = []
  for (const username of quietUsernames) loops.push(live(options, createDevice(options, username, 'phone'), true))
  for (const username of usernames) {
    const phone = createDevice(options, username, 'phone')
    loops.push(live(options, phone, false))
    if (dice.chance(SECOND_DEVICE_SHARE))
      loops.push(takeOver(options, createDevice(options, username, 'laptop'), phone))
  }
  await Promise.all(loops)
}

async function live(options: WorkloadOptions, device: Device, isQuiet: boolean): Promise<void> {
  const { dice, isRunning, rampMs } = options
  await delay(dice.between(0, isQuiet ? rampMs / 4 : rampMs))
  await device.signIn()
  while (isRunning()) {
    await delay(dice.between(...PAUSE_MS))
    if (!isRunning()) return
    if (device.session()) await takeTurn(device, dice, isQuiet)
    else if (await isStillRunningAfter(options, AWAY_MS)) await device.signIn()
  }
}

/** A second device signs in now and then, and ends the session of the first. */
async function takeOver(options: WorkloadOptions, laptop: Device, phone: Device): Promise<void> {
  const { dice, rampMs } = options
  await delay(rampMs)
  while (await isStillRunningAfter(options, ELSEWHERE_MS)) {
    await laptop.signIn()
    // The phone does not know yet that it is over.
    await phone.check('verify-fresh')
    await phone.check('verify')
    for (let turns = dice.whole(6); turns > 0 && laptop.session(); turns--) {
      await delay(dice.between(...PAUSE_MS))
      await takeTurn(laptop, dice, true)
    }
    if (dice.chance(0.3)) await laptop.signOut()
  }
}

async function takeTurn(device: Device, dice: Dice, isQuiet: boolean): Promise<void> {
  let roll = dice.next()
  const falls = (share: number) => (roll -= share) < 0
  if (falls(shares.refresh)) return device.refresh()
  if (!isQuiet) {
    if (falls(shares.revokeToken)) return device.revokeToken()
    if (falls(shares.signOut)) return device.signOut()
    if (falls(shares.theft)) return device.sufferTheft()
    if (falls(shares.forgery)) return device.sufferForgery()
  }
  return device.check(dice.pick(['verify', 'verify', 'verify-fresh', 'introspect']))
}

/** Waits in small pieces, so that the end of the run is noticed. */
async function isStillRunningAfter(
  { dice, isRunning }: WorkloadOptions,
  [least, most]: readonly [number, number],
): Promise<boolean> {
  const until = performance.now() + dice.between(least, most)
  while (isRunning() && performance.now() < until) await delay(250)
  return isRunning()
}
