import com.fasterxml.jackson.databind.ObjectMapper;
import com.qcloud.cos.COSClient;
import com.qcloud.cos.ClientConfig;
import com.qcloud.cos.auth.BasicCOSCredentials;
import com.qcloud.cos.auth.BasicSessionCredentials;
import com.qcloud.cos.auth.COSCredentials;
import com.qcloud.cos.endpoint.EndpointResolver;
import com.qcloud.cos.exception.CosServiceException;
import com.qcloud.cos.model.ciModel.job.BatchJobRequest;
import com.qcloud.cos.region.Region;
import java.util.LinkedHashMap;
import java.util.Map;

/** Cancels batch jobs with the official SDK: arguments are their ids; prints a JSON line for each. */
public final class CosPeer {
    public static void main(String[] ids) throws Exception {
        Map<String, String> given = System.getenv();
        ClientConfig config = new ClientConfig(new Region(given.get("PEER_REGION")));
        config.setEndpointResolver(new At(given.get("PEER_ADDRESS")));
        COSClient cos = new COSClient(credentials(given), config);
        for (String id : ids) {
            System.out.println(new ObjectMapper().writeValueAsString(cancel(cos, given.get("PEER_BUCKET"), id)));
        }
        cos.shutdown();
    }

    private static COSCredentials credentials(Map<String, String> given) {
        String id = given.get("PEER_KEY_ID");
        String key = given.get("PEER_SECRET_KEY");
        String token = given.get("PEER_SECURITY_TOKEN");
        return token == null ? new BasicCOSCredentials(id, key) : new BasicSessionCredentials(id, key, token);
    }

    private static Map<String, Object> cancel(COSClient cos, String bucket, String id) {
        BatchJobRequest request = new BatchJobRequest();
        request.setBucketName(bucket);
        request.setJobId(id);
        Map<String, Object> answer = new LinkedHashMap<>();
        try {
            answer.put("cancelled", cos.cancelInventoryTriggerJob(request));
        } catch (CosServiceException error) {
            answer.put("error", error.getClass().getSimpleName());
            answer.put("status", error.getStatusCode());
            answer.put("code", error.getErrorCode());
            answer.put("text", error.getErrorMessage());
            answer.put("request_id", error.getRequestId());
        }
        return answer;
    }

    /** Connects to one address, whatever the host of the bucket. */
    private record At(String address) implements EndpointResolver {
        @Override
        public String resolveGeneralApiEndpoint(String endpoint) {
            return address;
        }

        @Override
        public String resolveGetServiceApiEndpoint(String endpoint) {
            return address;
        }
    }
}
