import com.fasterxml.jackson.databind.ObjectMapper;
import com.huaweicloud.sdk.core.auth.BasicCredentials;
import com.huaweicloud.sdk.core.exception.ServiceResponseException;
import com.huaweicloud.sdk.dli.v1.DliClient;
import com.huaweicloud.sdk.dli.v1.model.CancelSparkJobRequest;
import com.huaweicloud.sdk.dli.v1.model.CancelSqlJobRequest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Cancels jobs with the official SDK: arguments are pairs of a call and an id; prints a JSON line for each. */
public final class DliPeer {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> given = System.getenv();
        BasicCredentials credentials = new BasicCredentials()
                .withAk(given.get("PEER_KEY_ID"))
                .withSk(given.get("PEER_SECRET_KEY"))
                .withProjectId(given.get("PEER_PROJECT_ID"));
        if (given.containsKey("PEER_SECURITY_TOKEN")) {
            credentials.withSecurityToken(given.get("PEER_SECURITY_TOKEN"));
        }
        DliClient dli = DliClient.newBuilder()
                .withCredential(credentials)
                .withEndpoints(List.of(given.get("PEER_ENDPOINT")))
                .build();
        for (int i = 0; i < arguments.length; i += 2) {
            System.out.println(new ObjectMapper().writeValueAsString(cancel(dli, arguments[i], arguments[i + 1])));
        }
        System.exit(0); // the client's threads outlive main
    }

    private static Map<String, Object> cancel(DliClient dli, String call, String id) {
        Map<String, Object> answer = new LinkedHashMap<>();
        try {
            if (call.equals("cancelSqlJob")) {
                var response = dli.cancelSqlJob(new CancelSqlJobRequest().withJobId(id));
                answer.put("status", response.getHttpStatusCode());
                answer.put("is_success", response.getIsSuccess());
                answer.put("message", response.getMessage());
            } else {
                var response = dli.cancelSparkJob(new CancelSparkJobRequest().withBatchId(id));
                answer.put("status", response.getHttpStatusCode());
                answer.put("msg", response.getMsg());
            }
        } catch (ServiceResponseException error) {
            answer.put("error", error.getClass().getSimpleName());
            answer.put("status", error.getHttpStatusCode());
            answer.put("code", error.getErrorCode());
            answer.put("text", error.getErrorMsg());
            answer.put("request_id", error.getRequestId());
        }
        return answer;
    }
}
