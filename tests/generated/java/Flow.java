import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.DevicesApi;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.model.Credentials;
import org.openapitools.client.model.Device;
import org.openapitools.client.model.DeviceInput;
import org.openapitools.client.model.Login;
import org.openapitools.client.model.Me;
import org.openapitools.client.model.Problem;
import org.openapitools.client.model.Refresh;
import org.openapitools.client.model.Session;
import org.openapitools.client.model.SignedOutEverywhere;

/** The flow with the client of OpenAPI Generator's `java`. Its exceptions hold an answer that its classes read. */
public final class Flow {
    private static final String PASSWORD = "correct horse battery";

    private static ApiClient bearing(String access) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("RESCIND_URL"));
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + access));
        return client;
    }

    private static String code(Callable<?> refused) throws Exception {
        try {
            refused.call();
        } catch (ApiException error) {
            Problem problem = ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), Problem.class);
            same(problem.getStatus(), error.getCode());
            return problem.getCode();
        }
        throw new AssertionError("not refused");
    }

    private static void same(Object found, Object expected) {
        if (!found.equals(expected)) {
            throw new AssertionError(found + " instead of " + expected);
        }
    }

    public static void main(String[] words) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("RESCIND_URL"));
        SessionsApi anonymous = new SessionsApi(client);
        DeviceInput device = new DeviceInput().name("Ada's phone").kind("mobile");
        Session phone = anonymous.register(new Credentials().username("ada").password(PASSWORD).device(device));
        Session desktop = anonymous.login(new Login().username("ada").password(PASSWORD));
        same(code(anonymous::me), "token_missing");
        Login wrong = new Login().username("ada").password("wrong horse battery");
        same(code(() -> anonymous.login(wrong)), "wrong_credentials");

        Me me = new SessionsApi(bearing(phone.getAccess())).me();
        same(me.getUser().getUsername(), "ada");
        same(me.getDevice().getName(), "Ada's phone");
        same(me.getDevice().getCurrent(), true);
        phone = anonymous.refresh(new Refresh().refresh(phone.getRefresh()));
        ApiClient mine = bearing(phone.getAccess());
        Set<String> listed = new TreeSet<>();
        for (Device found : new DevicesApi(mine).listDevices(null, null).getResults()) {
            listed.add(found.getId());
        }
        same(listed, new TreeSet<>(Set.of(phone.getDevice().getId(), desktop.getDevice().getId())));

        new DevicesApi(mine).endDevice(desktop.getDevice().getId());
        same(code(() -> new SessionsApi(bearing(desktop.getAccess())).me()), "signed_out");
        same(code(() -> anonymous.refresh(new Refresh().refresh(desktop.getRefresh()))), "signed_out");
        SignedOutEverywhere everywhere = new SessionsApi(mine).logoutAll(null);
        same(everywhere.getSignedOut(), 1L);
        same(everywhere.getGeneration(), 2L);
        same(code(() -> new SessionsApi(mine).me()), "signed_out_everywhere");
        System.out.println("done");
    }
}
