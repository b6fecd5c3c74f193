// Signs the host and the query, for ten minutes: https://www.tencentcloud.com/document/product/436/7778
const now = Math.floor(Date.now() / 1000);
const keyTime = `${now - 60};${now + 600}`;
const hmac = (key, text) => hashes.HmacSHA1(text, key).toString();
const httpString = `${METHOD.toLowerCase()}\n${path}\n${QUERY && `${QUERY}=`}\nhost=${encodeURIComponent(host)}\n`;
const stringToSign = `sha1\n${keyTime}\n${hashes.SHA1(httpString).toString()}\n`;
// The key is the hexadecimal text, not the bytes that it stands for.
const signature = hmac(hmac(needed('secret_key'), keyTime), stringToSign);
setHeader(
  'Authorization',
  `q-sign-algorithm=sha1&q-ak=${needed('secret_id')}&q-sign-time=${keyTime}&q-key-time=${keyTime}` +
    `&q-header-list=host&q-url-param-list=${QUERY}&q-signature=${signature}`,
);
if (variable('security_token')) setHeader('x-ci-security-token', variable('security_token'));
