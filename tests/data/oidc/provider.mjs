// A real OpenID provider for the tests: oidc-provider with one machine client, whose access tokens are JWTs. `POST /rotate` publishes
// the next key behind the one that signs, `POST /sign` signs with it from then on; its log goes to standard error.
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
let made = 0;
const key = () => ({
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: `key-${made++}`, use: 'sig', alg: 'RS256',
});
const provider = (keys) => new Provider(issuer, {
  jwks: { keys },
  clients: [{
    client_id: 'machine', client_secret: 'not a secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  }],
  scopes: ['orders:read', 'orders:write'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://shop.example.com',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'orders:read orders:write', audience: 'shop', accessTokenFormat: 'jwt', accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
}).callback();

let keys = [key()];
let serve = provider(keys);
createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/rotate') {
    keys = [keys[0], key()];
  } else if (request.method === 'POST' && request.url === '/sign') {
    keys = [keys[1], keys[0]];
  } else {
    return serve(request, response);
  }
  serve = provider(keys);
  return response.end('done\n');
}).listen(port, '127.0.0.1', () => console.log('ready'));
