#include "backend/backend.h"

#include <stdlib.h>

void item_list_free(struct item_list *list)
{
	free(list->items);
	free(list->text);
	*list = (struct item_list){ 0 };
}
