import { util } from '@aws-appsync/utils'

// A player's channel is /players/p… with the player's id, its bytes but letters and digits written as - and two hex
// digits: with % for - it is an URL encoding. Nobody listens to another player's channel, and nobody to all of them.
export function onSubscribe(ctx) {
  const segments = ctx.info.channel.segments
  const player = ctx.identity.sub
  if (segments.length !== 2 || typeof player !== 'string' || player === '') {
    util.unauthorized()
  }
  if (util.urlDecode(segments[1].split('-').join('%')) !== 'p' + player) {
    util.unauthorized()
  }
}
