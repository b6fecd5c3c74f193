// Cancels jobs with the official SDK's generic request: arguments are paths; prints a JSON line for each.
"use strict";

const COS = require("cos-nodejs-sdk-v5");

const given = process.env;
const cos = new COS({
  SecretId: given.PEER_KEY_ID,
  SecretKey: given.PEER_SECRET_KEY,
  SecurityToken: given.PEER_SECURITY_TOKEN,
  Ip: given.PEER_ADDRESS, // where to connect; the Host stays the bucket's
});

const cancel = async (path) => {
  try {
    const answer = await cos.request({
      Method: "PUT",
      Url: `http://${given.PEER_HOST}${path}`,
      Action: "cancel",
    });
    return { status: answer.statusCode, request_id: answer.RequestId, server: answer.headers.server };
  } catch (error) {
    const { statusCode, code, message, error: told } = error;
    return { error: error.constructor.name, status: statusCode, code, text: message, members: told };
  }
};

(async () => {
  for (const path of process.argv.slice(2)) {
    console.log(JSON.stringify(await cancel(path)));
  }
})();
